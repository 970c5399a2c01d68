// How is a page built here? Elements by name, words as text nodes; markup in data stays words.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const by = (id) => document.getElementById(id);
// 12,345; Intl.NumberFormat costs 15 ms of the main thread before its first number
export const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
export const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;
export const percent = (share) => `${Math.round(100 * share)} %`;

// a label or another word out of the data: its own direction, never markup
export const said = (text, kind = "") => el("bdi", { class: `said ${kind}`, title: text }, text);

// a name on one line, which may be too narrow for it
export function named(name, kind = "") {
  const node = line(el("bdi", { title: name }), name, kind);
  if (node.parted) { // read as one
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", name);
  }
  return node;
}

const ROOM = 20; // letters that have room nearly everywhere
const APART = /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc\uff70\uac00-\ud7a3\p{N}\p{P}\p{Sm}\p{Sc}\u00b0\p{Zs}\x20-\x7e]+$/u; // letters that may stand alone
const PLAIN = /^[\x20-\x7e]+$/; // nearly always: the letters above take the browser a moment at their first use
const WIDE = /[\u2e80-\ud7a3\uf900-\ufaff\uff00-\uff60]/; // East Asian

// words into an element of one line: names of one family differ at their ends, so what is too long loses its middle
export function line(node, words, kind, room = ROOM) {
  if (node.words !== words) {
    const wide = WIDE.test(words);
    const letters = words.length > room / (wide ? 2 : 1) && (PLAIN.test(words) || APART.test(words)) ? [...words] : [];
    const end = letters.length - (wide ? 3 : 6);
    if (letters.length) node.replaceChildren(el("span", { class: "head" }, letters.slice(0, end).join("")), el("span", {}, letters.slice(end).join("")));
    else node.textContent = words;
    node.words = words;
    node.parted = letters.length > 0;
  }
  node.className = node.parted ? `said ${kind} parted` : `said ${kind}`;
  return node;
}

// RFC 4122, version 4; crypto.randomUUID is missing where the page comes over plain http from another machine
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

let quiet = 0;

// one polite sentence for a screen reader, and for the eye
export function tell(sentence) {
  by("live").textContent = sentence;
  by("toast").textContent = sentence;
  by("toast").hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => (by("toast").hidden = true), 4000);
}
