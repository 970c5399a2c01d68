// The review page: today's plan, then a grid of one slice, answered by keys or mouse. This file wires the rooms together.

// first: its questions are asked before the rest is evaluated
import { start } from "./start.js";
import { Answering } from "./answering.js";
import { Bar } from "./bar.js";
import { ORDERS, parse } from "./catalogue.js";
import { by, el } from "./dom.js";
import { Grid } from "./grid.js";
import { Hands } from "./hands.js";
import { Labels } from "./labels.js";
import { Looking } from "./looking.js";
import { Others } from "./others.js";
import { Outbox } from "./outbox.js";
import { Pages } from "./pages.js";
import { Panel } from "./panel.js";
import { Saving } from "./saving.js";
import { Selection } from "./selection.js";
import * as settings from "./settings.js";
import { Sheets } from "./sheets.js";
import { Slices } from "./slices.js";
import { Verdicts } from "./verdicts.js";
import { Views } from "./views.js";
import { json, post, query } from "./wire.js";

class Review {
  constructor(me, catalogue, preview, widget) {
    Object.assign(this, { me: { ...me, cards: preview.cards }, catalogue, preview, widget });
    this.selection = new Selection();
    for (const [name, room] of Object.entries({ Pages, Views, Slices, Labels, Verdicts, Hands, Bar, Looking, Saving, Others })) {
      this[name.toLowerCase()] = new room(this);
    }
    const { hands, looking, saving, verdicts } = this;
    this.outbox = new Outbox(me.name, {
      changed: () => saving.show(),
      saved: (reply) => saving.saved(reply),
      refused: (rows) => saving.refused(rows),
      stale: () => saving.stale(),
      signedOut: () => saving.missing({ status: 401 }),
    });
    this.answering = new Answering(catalogue, this.outbox, () => this.painted());
    this.sheets = new Sheets(catalogue, preview, (from, to) => this.came(from, to), (error) => saving.missing(error));
    this.grid = new Grid(by("grid"), catalogue, this.sheets, this.selection, this.answering.told, {
      moved: (position, event) => hands.clicked(position, event),
      painted: (ns, on) => hands.paint(ns, on),
      settled: () => this.settled(),
      opened: () => looking.open(),
    });
    this.grid.size(settings.get("size", 96));
    this.panel = new Panel(by("panel"), catalogue, this.me, widget, {
      reply: (n, op) => verdicts.noted([n], "answer", "Answer the question", { of: op }),
      undo: (n, op) => this.answering.takeBack(n, op),
      approve: (n, op) => this.answering.give([n], "approve", { of: op }),
      back: (n, op) => verdicts.noted([n], "return", "Return it: why?", { of: op }),
      resolve: (n, sides) => verdicts.resolve(n, sides),
      open: () => looking.open(),
    });
    this.answering.recall();
    this.listen();
    if (this.outbox.waiting) this.outbox.now();
    saving.show();
  }

  listen() {
    const { hands, others, pages, saving, views } = this;
    by("order").replaceChildren(...Object.entries(ORDERS).map(([value, words]) => el("option", { value }, words)));
    by("order").addEventListener("change", () => views.show(views.slice, by("order").value));
    by("only").addEventListener("change", () => {
      const { open, ...rest } = views.slice;
      views.show(by("only").checked ? { ...rest, open: true } : rest, views.order);
    });
    by("home").addEventListener("click", () => pages.home());
    by("sign").hidden = this.me.role !== "reviewer";
    by("sign").addEventListener("click", () => pages.signoff());
    by("sum").addEventListener("click", () => pages.summary());
    by("help").addEventListener("click", () => hands.act("help"));
    by("guideline").addEventListener("click", () => hands.act("guideline"));
    by("guideline").hidden = !this.me.guideline;
    by("saved").addEventListener("click", () => saving.tell());
    by("who").textContent = this.me.name;
    document.addEventListener("keydown", (event) => hands.pressed(event));
    window.addEventListener("hashchange", () => views.route());
    others.listen();
    document.body.classList.toggle("no-panel", !settings.get("panel", window.innerWidth > 760));
  }

  // what can be taken back although the page was loaded anew
  async undoable() {
    try {
      this.answering.earlier(await json(query("/api/recent", { v: this.catalogue.version })));
    } catch {
      this.answering.earlier([]); // what is in the outbox can be taken back all the same
    }
  }

  // an answer has changed the states
  painted() {
    if (this.pages.at !== "work") return;
    this.grid.repaint();
    this.bar.touched();
  }

  // the cursor, a flag or the range has changed
  selected() {
    this.bar.touched();
    this.bar.keys();
    this.looking.evidence();
  }

  // the view has come to rest
  settled() {
    if (this.pages.at !== "work") return;
    this.views.remember();
    this.others.rested();
  }

  // the pictures or cards at these positions are here
  came(from, to) {
    this.grid.came(from, to);
    if (this.preview.cards) this.bar.keys(); // the suggestion has come with the card
  }
}

// the link's token goes to the server once, and out of the address before anything else
async function enter() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(null, "", location.pathname);
  await post("/session", { token });
}

async function begin() {
  try {
    await enter();
    const [[me, preview, widget], buffer] = await start();
    const review = new Review(me, parse(buffer), preview, widget);
    await review.views.route();
    await review.undoable();
  } catch (error) {
    const words = error.status === 401 ? [el("h1", {}, "Who are you?"), el("p", {}, "Open the link that this command prints. It holds your token, once:"), el("p", {}, el("code", {}, "assay review"))]
      : [el("h1", {}, "Not yet"), el("p", {}, error.status ? error.message : "The server does not answer."), el("p", {}, el("button", { type: "button", class: "main", onclick: () => location.reload() }, "Try again"))];
    by("wait").replaceChildren(el("section", {}, ...words));
    if (!(error.status || error instanceof TypeError)) throw error;
  }
}

begin();
