// Which items are on the page, in which order, and what comes back with Escape? The address says it, so a reload does.

import { ORDERS } from "./catalogue.js";
import { by, el, many, tell } from "./dom.js";
import { PINS } from "./labels.js";
import { Room } from "./room.js";
import { bytes, json, query } from "./wire.js";

export class Views extends Room {
  slice = {};
  order = "suspicion";
  likely = []; // labels for the keys 2-9
  left = []; // left behind by "similar"
  turn = 0; // grows with every view

  // #given=cat&suggested=dog&check=..&drop=..&order=loss&at=12 is a slice; nothing is the plan
  route() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (![...asked].length) return this.review.pages.home();
    if (asked.has("token")) return location.reload(); // a new link in an open tab
    const slice = {};
    let order = "suspicion";
    for (const [name, value] of asked) {
      if (name === "order") order = value in ORDERS ? value : order;
      else if (["given", "suggested", "check", "state"].includes(name)) slice[name] = value;
      else if (name === "queued" || name === "open") slice[name] = true;
      else if (name in this.catalogue.groups) slice[`group:${name}`] = value;
    }
    return this.show(slice, order, Number(asked.get("at") ?? -1));
  }

  remember() {
    if (location.hash.includes("token=")) return; // a new link: route() takes it
    const asked = new URLSearchParams();
    for (const [kind, value] of Object.entries(this.slice)) asked.set(kind.replace("group:", ""), value === true ? 1 : value);
    asked.set("order", this.order);
    if (this.grid.order.length) asked.set("at", this.grid.order[this.grid.cursor]);
    history.replaceState(null, "", `#${asked}`);
  }

  async show(slice, asked, place = -1) {
    this.left = [];
    this.review.pages.turn("work");
    const turn = ++this.turn;
    const [order, all] = await this.ordered(asked);
    if (turn !== this.turn || this.review.pages.at !== "work") return; // something else was asked for meanwhile
    const places = this.catalogue.filter(slice, all);
    tell(`${many(places.length, "item")}, ${ORDERS[order]}`);
    this.enter({ slice, order, places, likely: this.catalogue.likely(places, PINS) }, place);
  }

  // [order, all places in it]; where one cannot be read, the one that is always here
  async ordered(order) {
    try {
      return [order, await this.catalogue.ordered(order, (name) => {
        tell("Putting the items in order …");
        return bytes(query("/api/order", { v: this.catalogue.version, by: name }));
      })];
    } catch (error) {
      this.review.saving.notice(`This order could not be read, so the most suspicious come first. ${error.message}`);
      this.review.saving.missing(error);
      return ["suspicion", this.catalogue.orders.suspicion];
    }
  }

  enter(view, place = -1, top = undefined) {
    this.turn++;
    this.selection.clear();
    Object.assign(this, { slice: view.slice, order: view.order, likely: view.likely, similar: view.similar });
    by("order").value = view.order;
    by("only").checked = Boolean(view.slice.open);
    by("none").hidden = view.places.length > 0;
    by("grid").hidden = by("batch").hidden = view.places.length === 0;
    if (!view.places.length) this.nothing();
    this.grid.take(view.places, place < 0 ? 0 : view.places.indexOf(place));
    if (top === undefined) this.grid.ask();
    this.review.looking.references(); // what stands around the grid takes its room before the grid is measured
    this.review.slices.draw();
    this.review.selected();
    this.grid.lay({ top, cursor: true });
    this.remember();
    if (!view.places.length) by("none").querySelector("button")?.focus();
    else this.grid.focus(); // last: the browser lays the page out for it
  }

  nothing() {
    const open = this.slice.open;
    const acts = [el("button", { type: "button", class: "main", onclick: () => this.review.pages.home() }, "Back to the plan")];
    if (open) acts.push(el("button", { type: "button", onclick: () => { by("only").checked = false; by("only").dispatchEvent(new Event("change")); } }, "Show the answered ones"));
    if (this.review.slices.groupKind()) acts.push(el("button", { type: "button", onclick: () => this.review.slices.step(1) }, "Next group"));
    by("none").replaceChildren(el("p", { class: "big" }, open ? "✓ All answered" : "No items here"),
      el("p", { class: "soft" }, open ? "You have answered every item of this slice." : "No item is in every part of this slice. Take a part away, or choose another."),
      el("p", { class: "acts" }, ...acts));
  }

  async alike(n) {
    try {
      const { places: near } = await json(query("/api/similar", { v: this.catalogue.version, n, k: 60 }));
      const { grid } = this;
      this.left.push({ slice: this.slice, order: this.order, likely: this.likely, similar: this.similar, places: grid.order,
        place: grid.order[grid.cursor], top: by("grid").scrollTop, flags: [...this.selection.flags] });
      const view = { slice: this.slice, order: this.order, places: Uint32Array.from(near), likely: this.catalogue.likely(near, PINS), similar: n };
      tell(`${many(near.length, "item")} like this one. Escape comes back.`);
      this.enter(view, n);
    } catch (error) {
      tell(`Nothing similar could be read. ${error.message}`);
    }
  }

  back() {
    if (this.selection.range || this.selection.flags.size) {
      this.selection.clear();
      this.grid.repaint();
      this.review.selected();
      tell("Let go.");
    } else if (this.left.length) {
      const view = this.left.pop();
      this.enter(view, view.place, view.top);
      for (const n of view.flags) this.selection.flag(n);
      this.grid.repaint();
      this.review.selected();
      tell("Back.");
    }
  }
}
