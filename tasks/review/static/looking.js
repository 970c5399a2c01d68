// How does a person look closer? The evidence beside the grid, the whole item, sure examples, the guideline, the size.

import * as ask from "./dialogs.js";
import { by, el, named, tell } from "./dom.js";
import { SIZES } from "./grid.js";
import { Room } from "./room.js";
import * as settings from "./settings.js";
import { blob, json, places, query, text } from "./wire.js";

export class Looking extends Room {
  evidence() {
    clearTimeout(this.timer);
    const n = this.grid.order[this.grid.cursor];
    if (document.body.classList.contains("no-panel")) return;
    if (n === undefined) return this.review.panel.clear("No item.");
    this.timer = setTimeout(async () => {
      this.flight?.abort();
      this.flight = new AbortController();
      try {
        const item = await json(query("/api/item", { v: this.catalogue.version, n }), { signal: this.flight.signal });
        this.review.panel.show(n, item, this.review.labels.card(n));
      } catch (error) {
        if (error.name !== "AbortError") this.review.panel.clear(`The evidence could not be read. ${error.message}`);
      }
    }, 160);
  }

  toggle() {
    const off = document.body.classList.toggle("no-panel");
    settings.set("panel", !off);
    this.evidence();
  }

  async open() {
    const n = this.grid.order[this.grid.cursor];
    const address = places("/api/asset", this.catalogue.version, [n]);
    const title = this.catalogue.given(n) ?? "The item";
    if (!this.me.cards) return ask.picture(title, address);
    try {
      return ask.letter(title, await text(address));
    } catch (error) {
      return tell(`The item could not be read. ${error.message}`);
    }
  }

  async guideline() {
    try {
      await ask.guideline(await text("/api/guideline"), this.me.guideline?.version);
    } catch (error) {
      tell(`The guideline could not be read. ${error.message}`);
    }
  }

  size(way) {
    const at = SIZES.findIndex((pixels) => pixels >= this.grid.wish);
    const pixels = SIZES[Math.max(0, Math.min(SIZES.length - 1, at + way))];
    settings.set("size", pixels);
    this.grid.size(pixels);
    this.grid.to(this.grid.cursor);
  }

  // three examples that nobody doubts, pinned above the grid
  async references() {
    const label = this.review.views.slice.given ?? this.review.views.slice.suggested;
    const k = this.catalogue.classes.indexOf(label);
    by("refs").hidden = k < 0 || this.me.cards;
    if (by("refs").hidden) return;
    const pics = [0, 1, 2].map(() => el("div", { class: "pic", role: "img", "aria-label": `Example of ${label}` }));
    by("refs").replaceChildren(el("span", { class: "soft" }, "Sure examples of"), named(label, "is"), ...pics);
    try {
      const { places: three } = await json(query("/api/references", { v: this.catalogue.version, class: k }));
      if (!three.length) by("refs").firstChild.textContent = "Nobody has confirmed an example of";
      pics.forEach((pic, at) => (pic.hidden = at >= three.length));
      if (!three.length) return;
      const address = URL.createObjectURL(await blob(places("/api/sheet", this.catalogue.version, three)));
      pics.forEach((pic, at) => {
        pic.style.backgroundImage = `url("${address}")`;
        pic.style.backgroundPosition = `${(at * 100) / 9}% 0`;
      });
      if (this.examples) URL.revokeObjectURL(this.examples);
      this.examples = address;
    } catch {
      // without examples the slice is still there
    }
  }
}
