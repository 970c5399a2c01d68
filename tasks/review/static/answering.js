// What does a key or a click write? Answers with an op each, into the outbox; what they do to the page; and back again.

import { many, tell, uuid } from "./dom.js";
import * as settings from "./settings.js";
import { BECAME } from "./words.js";

const AFTER = { keep: 1, relabel: 1, ambiguous: 1, unsure: 2, remove: 4, question: 5 };
const BACK = [...Object.keys(AFTER), "issue", "resolve"]; // what z takes back

export class Answering {
  // changed(): paint again
  constructor(catalogue, outbox, changed) {
    Object.assign(this, { catalogue, outbox, changed });
    this.told = new Map(); // n -> the answer I gave on this page
    this.last = new Map(); // op -> {n, before}: what to put back if it is refused
    this.done = []; // batches, for undo
    this.tallied = `tally:${outbox.who}:${new Date().toISOString().slice(0, 10)}`;
    this.tally = settings.get(this.tallied, { answers: 0, acts: 0 }); // of today in this browser: an act may be a batch
  }

  // what this browser has not sent yet is on the page as if it had
  recall() {
    for (const [v, answer] of this.outbox.pending()) {
      if (v !== this.catalogue.version) continue;
      if (answer.action === "undo") this.settle(answer.n, this.unsaid(answer.of));
      else this.apply(answer);
    }
  }

  // what the server and the outbox know of this person's last batches, after a reload: [[[op, n]]], oldest first
  earlier(batches) {
    const known = new Set(this.done.flat().map(({ op }) => op));
    const older = batches.map((batch) => batch.filter(([op]) => !known.has(op)).map(([op, n]) => ({ op, n })));
    const there = new Set(older.flat().map(({ op }) => op));
    const gone = new Set();
    const waiting = new Map();
    for (const [v, { op, n, of, action }] of this.outbox.pending()) {
      if (action === "undo") gone.add(of);
      else if (v === this.catalogue.version && !known.has(op) && !there.has(op) && BACK.includes(action)) {
        const name = op.split("#")[0];
        waiting.set(name, [...(waiting.get(name) ?? []), { op, n }]);
      }
    }
    const before = [...older, ...waiting.values()].map((batch) => batch.filter(({ op }) => !gone.has(op)));
    this.done = [...before.filter((batch) => batch.length), ...this.done];
  }

  before(n) {
    return { state: this.catalogue.state[n], mine: this.catalogue.mine[n], told: this.told.get(n) };
  }

  apply(answer) {
    this.last.set(answer.op, { n: answer.n, before: this.before(answer.n) });
    if (!(answer.action in AFTER)) return; // an issue, a reply: the item stays as it is
    this.catalogue.state[answer.n] = AFTER[answer.action];
    if (answer.action !== "question") this.catalogue.mine[answer.n] = 1;
    this.told.set(answer.n, answer);
  }

  settle(n, { state, mine, told }) {
    this.catalogue.state[n] = state;
    this.catalogue.mine[n] = mine;
    if (told) this.told.set(n, told);
    else this.told.delete(n);
  }

  // ns with one answer for all, or choice(n) for each; returns the batch
  give(ns, action, choice = {}) {
    const [answers, name] = [[], uuid()];
    for (const n of ns) {
      const { label = null, labels, note, of } = typeof choice === "function" ? choice(n) : choice;
      const shown = this.catalogue.given(n);
      const right = action === "relabel" && label === shown;
      const op = ns.length > 1 ? `${name}#${answers.length}` : name; // a batch is one, over a reload too
      const answer = { op, n, action: right ? "keep" : action, label: right ? null : label, shown };
      if (labels) answer.labels = labels;
      if (note) answer.note = note;
      if (of) answer.of = of;
      answers.push(answer);
    }
    if (!answers.length) return null;
    const batch = answers.map((answer) => ({ op: answer.op, n: answer.n, before: this.before(answer.n) }));
    for (const answer of answers) this.apply(answer);
    this.outbox.put(this.catalogue.version, answers);
    if (BACK.includes(action)) this.done.push(batch);
    if (action in AFTER) this.count(answers.length);
    this.changed();
    const what = action === "relabel" ? (answers.length > 1 && typeof choice === "function" ? "their suggestion" : (answers[0].label ?? "right")) : BECAME[action];
    if (what) tell(`${many(answers.length, "item")} → ${what}`);
    return answers;
  }

  count(answers) {
    this.tally.answers += answers;
    this.tally.acts += 1;
    settings.set(this.tallied, this.tally);
  }

  // the last batch; its first place, or null
  undo() {
    const batch = this.done.pop();
    if (!batch) {
      tell("Nothing to undo.");
      return null;
    }
    this.outbox.put(this.catalogue.version, batch.map(({ op, n }) => this.undoing(op, n)));
    for (const { n, op, before } of batch) this.settle(n, before ?? this.unsaid(op));
    this.changed();
    tell(`Undone: ${many(batch.length, "item")}`);
    return batch[0].n;
  }

  undoing = (op, n) => ({ op: uuid(), n, action: "undo", label: null, of: op, shown: this.catalogue.given(n) });

  // one answer by its op, from the panel
  takeBack(n, op) {
    this.outbox.put(this.catalogue.version, [this.undoing(op, n)]);
    this.done = this.done.map((batch) => batch.filter((one) => one.op !== op)).filter((batch) => batch.length);
    if (this.told.get(n)?.op === op) this.settle(n, this.unsaid(op)); // else another answer stands: the server says what comes of it
    this.changed();
  }

  // what there was before an answer of this page; of an earlier visit the server says it
  unsaid = (op) => this.last.get(op)?.before ?? { state: 0, mine: 0 };

  refused(rows) {
    const named = rows.map(({ op, reason }) => {
      const one = this.last.get(op);
      if (one && this.told.get(one.n)?.op === op) this.settle(one.n, one.before);
      return [one ? (this.catalogue.given(one.n) ?? `item ${one.n}`) : "an answer of an earlier visit", reason];
    });
    const gone = new Set(rows.map(({ op }) => op));
    this.done = this.done.map((batch) => batch.filter(({ op }) => !gone.has(op))).filter((batch) => batch.length);
    this.changed();
    return named;
  }

  // [[n, state, mine?]] from the server; what is still on its way is newer
  heard(states) {
    const waiting = new Set();
    for (const [, answer] of this.outbox.pending()) waiting.add(answer.n);
    for (const [n, state, mine] of states) {
      if (waiting.has(n)) continue;
      this.catalogue.state[n] = state;
      if (mine !== undefined) this.catalogue.mine[n] = mine;
    }
    this.changed();
  }
}
