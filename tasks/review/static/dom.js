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
export const named = (name, kind = "") => line(said(name, kind), name);

const ROOM = 20; // letters that have room nearly everywhere
const END = 6;
const APART = /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{N}\p{P}\p{S}\p{Zs}]+$/u; // letters that may stand alone

// words into an element of one line: names of one family differ at their ends, so what is too long loses its middle
export function line(node, words, room = ROOM) {
  const letters = words.length > room && APART.test(words) ? [...words] : [];
  const parted = letters.length > room;
  node.classList.toggle("parted", parted);
  if (parted) node.replaceChildren(el("span", { class: "head" }, letters.slice(0, -END).join("")), el("span", {}, letters.slice(-END).join("")));
  else node.textContent = words;
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
