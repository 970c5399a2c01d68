// How does an item look as a card? Two columns of words: the item, and its label with what it is or might become.

import { marked } from "./diff.js";
import { el, percent, said } from "./dom.js";
import { json, places } from "./wire.js";

const HEIGHT = 126; // pixels
const NARROW = 148; // on a phone, where the words take more lines
const PAIR = 46; // more, where the label is a text of its own and its suggestion another
const WIDTH = 520;

export const cards = true;
export const width = (inside) => Math.min(inside, WIDTH);
export const height = (cell, inside, paired) => (inside < 600 ? NARROW : HEIGHT) + (paired ? PAIR : 0);

export function parts() {
  const [pic, words] = [el("div", { class: "pic" }), el("div", { class: "words" })];
  return { pic, words, nodes: [pic, words] };
}

// the words of the items ns
export async function fetch(v, ns, tile, options) {
  const said = await json(places("/api/cards", v, ns), options);
  return { cards: new Map(said.map((card) => [card.n, card])) };
}

export function arrive({ n, pic, words }, { sheet }, catalogue, now) {
  const card = sheet?.cards.get(n);
  if (!card) {
    pic.replaceChildren();
    words.replaceChildren();
    return;
  }
  const given = card.label ?? catalogue.given(n) ?? "";
  const hint = card.suggestion ?? catalogue.suggested(n);
  const odd = hint !== null && hint !== undefined && hint !== given;
  const becomes = now && now !== given ? now : odd ? hint : null;
  pic.replaceChildren(said(card.text, "text"), el("span", { class: "p" }, percent(catalogue.wrong(n))));
  if (becomes === null) words.replaceChildren(said(given, "is"));
  else if (catalogue.classes.length) {
    words.replaceChildren(said(given, now ? "was" : "is"), ...(now ? [said(`→ ${now}`, "to")] : [el("small", {}, "suggested"), said(hint, "hint")]));
  } else {
    words.replaceChildren(marked(given, becomes, "out", now ? "before" : "is"), el("small", {}, now ? "→ yours" : "suggested"), marked(becomes, given, "in", now ? "to" : "hint"));
  }
}

export function caption() {} // its words come with it
