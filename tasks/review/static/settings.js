// How does this person like the page? Kept in this browser; without storage a setting lasts as long as the page.

export function get(name, other) {
  try {
    return JSON.parse(localStorage.getItem(`assay:${name}`)) ?? other;
  } catch {
    return other;
  }
}

export function set(name, value) {
  try {
    localStorage.setItem(`assay:${name}`, JSON.stringify(value));
  } catch {
    // a setting that lasts as long as the page
  }
}
