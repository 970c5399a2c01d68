// Is no answer ever lost? Each is in this browser's storage until the server says that it is on its disk.
//
// Covered: a server that is slow, away, restarted or answers rubbish; a reload; a closed tab (the next one sends).
// Not covered: a browser whose storage is full or switched off; then the page says so and warns before it closes.

import { uuid } from "./dom.js";
import { post } from "./wire.js";

const A_REQUEST = 500; // answers; the server takes 2,000 and 1 MiB
const FIRST_WAIT = 400; // milliseconds, doubled up to
const LONGEST_WAIT = 10000;
const PATIENCE = 20000;

export class Outbox {
  // heard: {changed(), saved(reply, batch), refused([{op, reason}]), stale(), signedOut()}
  constructor(who, heard) {
    this.who = who;
    this.prefix = `assay:outbox:${who}:`;
    this.heard = heard;
    this.batches = []; // {key, v, answers}, oldest first: one request after the other, in the order they were made
    this.tab = uuid().slice(0, 8);
    this.made = 0;
    this.tries = 0;
    this.most = A_REQUEST;
    this.busy = false;
    this.unstored = false;
    this.problem = "";
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(this.prefix)).sort()) {
      try {
        this.batches.push({ key, ...JSON.parse(localStorage.getItem(key)) });
      } catch {
        this.problem = "One batch in this browser's storage cannot be read.";
      }
    }
    window.addEventListener("online", () => this.now());
    window.addEventListener("beforeunload", (event) => {
      if (this.unstored && this.waiting) event.preventDefault();
    });
  }

  get waiting() {
    return this.batches.reduce((sum, batch) => sum + batch.answers.length, 0);
  }

  *pending() {
    for (const batch of this.batches) for (const answer of batch.answers) yield [batch.v, answer];
  }

  put(v, answers) {
    const key = `${this.prefix}${Date.now()}:${String(this.made++).padStart(6, "0")}:${this.tab}`;
    const batch = { key, v, answers };
    this.batches.push(batch);
    this.keep(batch);
    this.heard.changed();
    if (!this.busy && !this.timer) this.pump();
  }

  keep({ key, v, answers }) {
    try {
      if (answers.length) localStorage.setItem(key, JSON.stringify({ v, answers }));
      else localStorage.removeItem(key);
    } catch {
      this.unstored = true;
      this.problem = "This browser's storage is full or off: do not close the page before everything is saved.";
    }
  }

  // try again at once
  now() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.busy) this.pump();
  }

  later() {
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.tries++) * (0.75 + Math.random() / 2);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), wait);
    this.heard.changed();
  }

  // the oldest answers of one version, at most one request's worth
  next() {
    const open = this.batches.filter((batch) => !batch.stale);
    const taken = [];
    for (const batch of open) {
      if (batch.v !== open[0].v) break;
      taken.push(...batch.answers.slice(0, this.most - taken.length));
      if (taken.length >= this.most) break;
    }
    return { v: open[0]?.v, answers: taken };
  }

  async pump() {
    this.busy = true;
    for (let one = this.next(); one.answers.length; one = this.next()) {
      try {
        const reply = await post("/api/answers", one, { signal: AbortSignal.timeout(PATIENCE) });
        const gone = new Set([...reply.saved, ...reply.refused.map(({ op }) => op)]);
        if (!one.answers.some(({ op }) => gone.has(op))) throw new Error("The server named no answer that was sent.");
        this.drop(gone);
        Object.assign(this, { tries: 0, problem: this.unstored ? this.problem : "" });
        this.heard.saved(reply);
        if (reply.refused.length) this.heard.refused(reply.refused);
        this.heard.changed();
      } catch (error) {
        if (!this.goesOn(error, one)) break;
      }
    }
    this.busy = false;
    this.heard.changed();
  }

  // after a failed request: true to send the next at once, false to wait
  goesOn(error, { v, answers }) {
    this.problem = error.message;
    if (error.status === 409) {
      for (const batch of this.batches) if (batch.v === v) batch.stale = true;
      this.heard.stale();
      return true;
    }
    if (error.status === 413 && answers.length > 1) {
      this.most = Math.max(1, answers.length >> 1);
      return true;
    }
    if ([400, 403, 413, 415].includes(error.status)) {
      this.drop(new Set(answers.map(({ op }) => op)));
      this.heard.refused(answers.map(({ op }) => ({ op, reason: error.message })));
      return true;
    }
    if (error.status === 401) this.heard.signedOut();
    this.later();
    return false;
  }

  drop(gone) {
    for (const batch of this.batches) {
      const left = batch.answers.filter(({ op }) => !gone.has(op));
      if (left.length < batch.answers.length) {
        batch.answers = left;
        this.keep(batch);
      }
    }
    this.batches = this.batches.filter((batch) => batch.answers.length);
  }
}
