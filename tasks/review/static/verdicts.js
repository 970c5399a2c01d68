// What is said of which items? From a command to a batch of answers; a batch larger than the screen asks first.

import * as ask from "./dialogs.js";
import { many, number, tell } from "./dom.js";
import { Room } from "./room.js";
import { BECAME } from "./words.js";

export class Verdicts extends Room {
  touched(action) {
    return this.selection.touched(this.grid.order, this.grid.cursor, action, (n) => this.catalogue.mine[n] === 1);
  }

  // asks before a batch that is larger than the screen; "right" is never said of what was not on it
  async agreed(action, what) {
    const all = this.touched(action);
    const single = this.selection.range === null && this.selection.flags.size === 0;
    if (single) return all;
    this.grid.settle();
    const [first, last] = this.grid.onScreen();
    const here = new Set(this.grid.order.subarray(first, last + 1));
    const seen = all.filter((n) => this.grid.seen[n] || here.has(n));
    const unseen = all.length - seen.length;
    if (all.length <= here.size && !unseen) return all;
    if (action === "keep") {
      if (seen.length <= here.size && !unseen) return seen;
      const gone = unseen ? ` ${many(unseen, "item was", "items were")} never on the screen and will stay open.` : "";
      const answer = await ask.choose(`${many(seen.length, "item")} → ${what}?`, `That is more than the screen shows.${gone}`, [["no", "Cancel"], ["seen", `${number(seen.length)} are right`]]);
      return answer === "seen" ? seen : [];
    }
    const choices = [["no", "Cancel"], ...(seen.length && unseen ? [["seen", `Only the ${number(seen.length)} seen`]] : []), ["all", `All ${number(all.length)}`]];
    const sentence = unseen ? `That is more than the screen shows, and ${many(unseen, "of them was", "of them were")} never on it.` : "That is more than the screen shows.";
    const answer = await ask.choose(`${many(all.length, "item")} → ${what}?`, sentence, choices);
    return answer === "all" ? all : answer === "seen" ? seen : [];
  }

  async give(action, choice = {}, what = undefined) {
    const one = this.selection.range === null && this.selection.flags.size === 0;
    const words = what ?? BECAME[action];
    let ns = await this.agreed(action, words);
    if (action === "keep") {
      const bare = ns.filter((n) => this.review.widget.bare(this.review.labels, n));
      if (bare.length) tell(`${many(bare.length, "item has", "items have")} no label that could be right.`);
      ns = ns.filter((n) => !bare.includes(n));
    }
    if (!ns.length) {
      if (!one) tell("Nothing is left to answer in this range.");
      return;
    }
    const { grid, selection } = this;
    const end = selection.range?.[1];
    this.answering.give(ns, action, choice);
    for (const n of ns) selection.flags.delete(n);
    selection.let_go();
    grid.to(one ? grid.cursor + 1 : (end ?? grid.cursor));
    this.review.selected();
  }

  async label(key) {
    if (key > 1) {
      const label = this.review.labels.onKey(key);
      if (label === undefined) tell(`No label is on key ${key}. Press / and pin one.`);
      else await this.give("relabel", { label }, label);
      return;
    }
    const one = this.review.labels.suggestion(this.grid.order[this.grid.cursor]);
    const ns = this.touched("relabel");
    const without = ns.filter((n) => this.review.labels.suggestion(n) === null).length;
    if (without) tell(ns.length === 1 ? "There is no suggestion for this item." : `${many(without, "of these has", "of these have")} no suggestion: nothing was answered.`);
    else await this.give("relabel", (n) => ({ label: this.review.labels.suggestion(n) }), ns.length === 1 ? one : "their suggestion");
  }

  async search() {
    const found = await this.review.widget.wanted(this.review.labels);
    if (found !== null) await this.give("relabel", { label: found[0] }, found[1]);
  }

  async ambiguous() {
    if (!this.catalogue.classes.length) return tell("Labels of this kind are texts: there is one.");
    const n = this.grid.order[this.grid.cursor];
    const chosen = [...new Set([this.catalogue.given(n), this.catalogue.suggested(n)])].filter((label) => label !== null);
    const labels = await ask.pick("Which labels are right?", this.review.labels.all(), { several: true, chosen });
    if (labels === null) return undefined;
    if (labels.length < 2) return tell("Several labels are two or more. Nothing was answered.");
    return this.give("ambiguous", { labels }, labels.join(" | "));
  }

  async noted(ns, action, title, more = {}) {
    const note = await ask.write(title, { save: "Send" });
    if (note === null) return false;
    this.answering.give(ns, action, { ...more, note });
    tell({ question: "Asked. The item waits; the queue goes on.", answer: "Answered.", return: "Returned." }[action] ?? "Sent.");
    return true;
  }

  async pattern() {
    const ns = this.touched("issue");
    const n = this.grid.order[this.grid.cursor];
    const [given, hint] = [this.catalogue.given(n), this.catalogue.suggested(n)];
    const start = hint !== null && hint !== given ? `“${given}” should be “${hint}”: ` : "";
    const hintWords = `What goes wrong, and what is right? It becomes an issue for the guideline${ns.length > 1 ? `, with these ${number(ns.length)} items named in it` : ""}.`;
    const note = await ask.write("A pattern", { text: start, hint: hintWords, save: "Raise it" });
    if (note === null) return;
    this.answering.give([n], "issue", { note: ns.length > 1 ? `${note} (${number(ns.length)} items shown)` : note });
    tell("Raised as an issue for the guideline.");
  }

  // sides: [[label, or null: to remove it, [who, ..]]]
  async resolve(n, sides) {
    const label = await this.review.widget.settled(this.review.labels, sides);
    return label !== null && Boolean(this.answering.give([n], "resolve", { label: label === ask.REMOVED ? null : label }));
  }

  undo() {
    const n = this.answering.undo();
    if (n === null) return;
    const at = this.grid.order.indexOf(n);
    this.selection.let_go();
    if (at >= 0) this.grid.to(at);
    this.review.selected();
  }
}
