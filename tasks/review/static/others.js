// What do the others do? Their answers every ten seconds, and what they have on their screens.

import { Room } from "./room.js";
import { json, post, query } from "./wire.js";

const CHANGES = 10000; // milliseconds
const CLAIMS = 30000;
const RESTED = 800; // on a view, before it is claimed

export class Others extends Room {
  constructor(review) {
    super(review);
    this.seq = this.catalogue.seq ?? 0;
  }

  listen() {
    window.addEventListener("pagehide", () => this.claim(true));
    setInterval(() => this.changes(), CHANGES);
    setInterval(() => this.claim(false), CLAIMS);
  }

  rested() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.claim(false), RESTED);
  }

  async changes() {
    if (document.hidden) return;
    try {
      const told = await json(query("/api/changes", { v: this.catalogue.version, since: this.seq }));
      this.seq = told.seq;
      if (told.states.length) this.answering.heard(told.states);
    } catch (error) {
      if (error.status === 409) this.review.saving.stale(); // else: the next look, in ten seconds
    }
  }

  async claim(release) {
    if (this.review.pages.at !== "work" || !this.grid.order.length) return;
    const [first, last] = this.grid.onScreen();
    const body = { v: this.catalogue.version, places: Array.from(this.grid.order.subarray(first, last + 1)), release };
    try {
      const { taken } = await post("/api/claims", body, release ? { keepalive: true } : {});
      this.grid.held = new Map(taken);
      this.grid.repaint();
    } catch {
      // a claim is a courtesy
    }
  }
}
