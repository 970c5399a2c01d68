// What would an answer touch, and what are the answers? The bar below the grid, which a mouse or a finger can use.

import { by, el, named, number, said } from "./dom.js";
import { Room } from "./room.js";

export class Bar extends Room {
  touched() {
    const { range, flags } = this.selection;
    const line = (count, words, more) => el("div", {}, el("b", {}, number(count)), words, more ? el("div", { class: "soft" }, more) : null);
    const parts = [];
    if (range) {
      const [whole, rest] = [range[1] - range[0] + 1, this.review.verdicts.touched("keep").length];
      parts.push(line(whole, " in the range", rest < whole ? `Enter accepts ${number(rest)}` : ""));
    }
    if (flags.size) parts.push(line(flags.size, " flagged"));
    if (!parts.length && this.grid.order.length) parts.push(el("span", { class: "soft" }, `${number(this.grid.cursor + 1)} of ${number(this.grid.order.length)}`));
    by("touched").replaceChildren(...parts);
    by("batch").classList.toggle("many", Boolean(range || flags.size));
  }

  keys() {
    const { widget } = this.review;
    const n = this.grid.order[this.grid.cursor];
    const act = (key, words, name, argument, kind = "") => el("button", { type: "button", class: kind, tabindex: "-1",
      onclick: () => { this.review.hands.act(name, argument); } }, el("kbd", {}, key), words);
    const several = this.selection.range !== null || this.selection.flags.size > 0;
    const hint = n === undefined ? null : this.review.labels.suggestion(n);
    const labels = [act("⏎", "Right", "keep"), act("1", several ? "Their suggestion" : (hint === null ? "No suggestion" : (widget.keyed ? named : said)(hint)), "label", 1, hint === null && !several ? "dim" : "suggested")];
    for (let key = 2; key <= 9 && widget.keyed; key++) {
      const label = this.review.labels.onKey(key);
      if (label !== undefined) labels.push(act(key, named(label), "label", key, this.review.labels.pins.has(key) ? "pinned" : ""));
    }
    const others = [act("/", widget.verb, "search"), act("0", "Not sure", "unsure")];
    if (this.catalogue.classes.length) others.push(act("a", "Several", "ambiguous"));
    others.push(act("Del", "Remove", "remove"), act("x", "Flag", "flag"), act("f", "Similar", "similar"), act("q", "Ask", "question"),
      act("p", "Pattern", "pattern"), act("z", "Undo", "undo"), act("i", "Evidence", "panel"));
    by("acts").replaceChildren(el("div", { class: "labelled" }, ...labels), el("div", { class: "others" }, ...others));
  }
}
