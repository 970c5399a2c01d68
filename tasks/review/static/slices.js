// What is a slice made of? Its parts as chips: take one away, add one, go to the next value.

import * as ask from "./dialogs.js";
import { by, el, many, named, tell } from "./dom.js";
import { Room } from "./room.js";

export class Slices extends Room {
  draw() {
    const kinds = { ...this.catalogue.kinds(), queued: "queue" };
    const chips = Object.entries(this.review.views.slice).filter(([kind]) => kind !== "open").map(([kind, value]) => {
      const name = kinds[kind] ?? kind.replace("group:", "");
      const change = value === true ? null : () => this.choose(kind);
      const words = value === true ? name : [el("small", {}, name), named(value)];
      return el("span", { class: "chip" }, el("button", { type: "button", class: "value", onclick: change ?? (() => {}) }, ...[words].flat()),
        el("button", { type: "button", class: "off", "aria-label": `Take away ${name} ${value}`, onclick: () => this.without(kind) }, "×"));
    });
    if (this.review.views.similar !== undefined) {
      chips.push(el("span", { class: "chip similar" }, el("span", { class: "value" }, "similar to one ", named(this.catalogue.given(this.review.views.similar) ?? "item")),
        el("button", { type: "button", class: "off", "aria-label": "Back", onclick: () => this.review.views.back() }, "Esc")));
    }
    const more = this.review.views.similar === undefined ? [el("button", { type: "button", id: "more", onclick: () => this.add() }, chips.length ? "+" : "Slice +")] : [];
    by("slices").replaceChildren(...chips, ...more);
    by("slices").className = chips.length > 2 ? "chips many" : chips.length ? "chips" : "";
    by("count").textContent = many(this.grid.order.length, "item");
  }

  without(kind) {
    const { [kind]: gone, ...rest } = this.review.views.slice;
    this.review.views.show(rest, this.review.views.order);
  }

  async add() {
    const kinds = this.catalogue.kinds();
    const rows = Object.entries(kinds).filter(([kind]) => !(kind in this.review.views.slice)).map(([, title]) => [title, null]);
    if (!this.review.views.slice.queued) rows.unshift(["queue", this.catalogue.filter({ queued: true }).length]);
    const title = await ask.pick("Slice by", rows);
    if (title === null) return;
    if (title === "queue") this.review.views.show({ ...this.review.views.slice, queued: true }, this.review.views.order);
    else await this.choose(Object.entries(kinds).find(([, words]) => words === title)[0]);
  }

  async choose(kind) {
    const value = await ask.pick(this.catalogue.kinds()[kind], this.catalogue.counts(kind), { hint: "with the number of items" });
    if (value !== null) this.review.views.show({ ...this.review.views.slice, [kind]: value }, this.review.views.order);
  }

  groupKind() {
    return Object.keys(this.review.views.slice).find((kind) => kind !== "open" && kind !== "queued");
  }

  // the next or previous value of what the slice is made of first
  step(way) {
    const kind = this.groupKind() ?? (this.catalogue.classes.length ? "given" : null);
    if (kind === null) return tell("There are no groups.");
    const values = this.catalogue.counts(kind).map(([value]) => value);
    const at = values.indexOf(this.review.views.slice[kind]);
    const next = values[(at + way + values.length) % values.length];
    if (next !== undefined) this.review.views.show({ ...this.review.views.slice, [kind]: next }, this.review.views.order);
  }
}
