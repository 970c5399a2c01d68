// Which label is meant: the suggestion, or the one on a key? Pinned labels keep their keys, over a reload too.

import { tell } from "./dom.js";
import { Room } from "./room.js";
import * as settings from "./settings.js";

export const PINS = 8; // keys 2-9

export class Labels extends Room {
  constructor(review) {
    super(review);
    this.pins = new Map(settings.get("pins", []).filter(([, label]) => this.catalogue.classes.includes(label))); // key -> label
  }

  suggestion(n) {
    return this.review.widget.suggestion(this, n);
  }

  card(n) {
    for (const sheet of this.review.sheets.loaded.values()) if (sheet.cards?.has(n)) return sheet.cards.get(n);
    return undefined;
  }

  onKey(key) {
    if (this.pins.has(key)) return this.pins.get(key);
    const pinned = new Set(this.pins.values());
    const free = Array.from({ length: PINS }, (_, k) => k + 2).filter((one) => !this.pins.has(one));
    return this.review.views.likely.filter((label) => !pinned.has(label))[free.indexOf(key)];
  }

  all() {
    const counts = new Map(this.catalogue.counts("given"));
    return this.catalogue.classes.map((name) => [name, counts.get(name) ?? 0]);
  }

  pinning() {
    const key = (label) => [...this.pins].find(([, one]) => one === label)?.[0];
    return {
      has: key,
      toggle: (label) => {
        const free = Array.from({ length: PINS }, (_, k) => k + 2).find((one) => !this.pins.has(one));
        if (key(label)) this.pins.delete(key(label));
        else if (free) this.pins.set(free, label);
        else return tell("Keys 2 to 9 are all taken.");
        settings.set("pins", [...this.pins]);
        return this.review.bar.keys();
      },
    };
  }
}
