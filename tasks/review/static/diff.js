// What differs between two texts? Word by word: what only the first has is struck out, what only the second has is
// underlined twice; by shape as well as by colour.

import { el } from "./dom.js";

const MOST = 500; // words of both sides that are compared in a table; longer texts only by their common ends
let words; // made when the first pair is compared

// "a cat, too" -> ["a", " ", "cat", ",", " ", "too"]; their sum is the text
function cut(text) {
  words ??= typeof Intl.Segmenter === "function" ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;
  return words ? Array.from(words.segment(text), ({ segment }) => segment) : text.split(/(\s+)/).filter(Boolean);
}

// [[kept, text]] of `one`: whether each run of words is in `other` too, in the same order
export function compared(one, other) {
  const [a, b] = [cut(one), cut(other)];
  let first = 0;
  while (first < a.length && first < b.length && a[first] === b[first]) first++;
  let last = 0;
  while (last < a.length - first && last < b.length - first && a[a.length - 1 - last] === b[b.length - 1 - last]) last++;
  const common = inCommon(a.slice(first, a.length - last), b.slice(first, b.length - last));
  const runs = [];
  a.forEach((word, k) => {
    const kept = k < first || k >= a.length - last || common.has(k - first);
    if (runs.length && runs.at(-1)[0] === kept) runs.at(-1)[1] += word;
    else runs.push([kept, word]);
  });
  return runs;
}

// places in a of a longest common subsequence with b
function inCommon(a, b) {
  const found = new Set();
  if (a.length * b.length > MOST * MOST) return found;
  const wide = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * wide + j] = a[i] === b[j] ? longest[(i + 1) * wide + j + 1] + 1 : Math.max(longest[(i + 1) * wide + j], longest[i * wide + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) found.add((i++, j++, i - 1));
    else if (longest[(i + 1) * wide + j] >= longest[i * wide + j + 1]) i++;
    else j++;
  }
  return found;
}

// `text` with what `other` lacks marked: "out" strikes it, "in" underlines it
export function marked(text, other, way, kind = "") {
  const tag = way === "out" ? "del" : "ins";
  const parts = compared(text, other).map(([kept, run]) => (kept || !run.trim() ? run : el(tag, {}, run)));
  return el("bdi", { class: `said ${kind}`, title: text }, ...parts);
}
