// The review page: today's plan, then a grid of one slice, answered by keys or mouse. This file wires the others together.

import { Answering } from "./answering.js";
import { ORDERS, parse } from "./catalogue.js";
import * as ask from "./dialogs.js";
import { by, el, many, number, said, tell } from "./dom.js";
import { Grid, SIZES } from "./grid.js";
import { command, moved } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { plan } from "./plan.js";
import { Selection } from "./selection.js";
import { signoff } from "./signoff.js";
import { Sheets } from "./sheets.js";
import { blob, bytes, json, places, post, query, text } from "./wire.js";

const CHANGES = 10000; // milliseconds
const CLAIMS = 30000;
const PINS = 8; // keys 2-9
const ANYWHERE = new Set(["help", "guideline", "undo", "back", "next", "previous", "panel", "larger", "smaller"]);
const REPEATS = new Set(["move", "undo", "next", "previous"]);
const settings = {
  get: (name, other) => {
    try {
      return JSON.parse(localStorage.getItem(`assay:${name}`)) ?? other;
    } catch {
      return other;
    }
  },
  set: (name, value) => {
    try {
      localStorage.setItem(`assay:${name}`, JSON.stringify(value));
    } catch {
      // a setting that lasts as long as the page
    }
  },
};

class Review {
  constructor(me, catalogue) {
    Object.assign(this, { me, catalogue });
    this.letters = settings.get("letters", true);
    this.pins = new Map(settings.get("pins", []).filter(([, label]) => catalogue.classes.includes(label))); // key -> label
    this.likely = [];
    this.views = []; // left behind by "similar"
    this.seq = catalogue.seq ?? 0;
    this.refusals = [];
    this.selection = new Selection();
    this.outbox = new Outbox(me.name, {
      changed: () => this.showSaved(),
      saved: (reply) => this.saved(reply),
      refused: (rows) => this.refused(rows),
      stale: () => this.stale(),
      signedOut: () => this.notice("Your session has ended. Open the link that assay review prints again; nothing is lost."),
    });
    this.answering = new Answering(catalogue, this.outbox, () => this.painted());
    this.sheets = new Sheets(catalogue, me.preview, (from, to) => this.came(from, to), (error) => this.missing(error));
    this.grid = new Grid(by("grid"), catalogue, this.sheets, this.selection, this.answering.told, {
      moved: (position, event) => this.clicked(position, event),
      painted: (ns, on) => this.paint(ns, on),
      settled: () => this.settled(),
      opened: () => this.open(),
    });
    this.grid.size(settings.get("size", 96));
    this.panel = new Panel(by("panel"), catalogue, me, {
      reply: (n, op) => this.noted([n], "answer", "Answer the question", { of: op }),
      undo: (n, op) => this.answering.takeBack(n, op),
      approve: (n, op) => this.answering.give([n], "approve", { of: op }),
      back: (n, op) => this.noted([n], "return", "Return it: why?", { of: op }),
      resolve: (n) => this.resolve(n),
      open: () => this.open(),
    });
    this.answering.recall();
    this.listen();
    if (this.outbox.waiting) this.outbox.now();
    this.showSaved();
  }

  listen() {
    by("order").replaceChildren(...Object.entries(ORDERS).map(([value, words]) => el("option", { value }, words)));
    by("order").addEventListener("change", () => this.show(this.slice, by("order").value));
    by("only").addEventListener("change", () => {
      const { open, ...rest } = this.slice;
      this.show(by("only").checked ? { ...rest, open: true } : rest, this.order);
    });
    by("home").addEventListener("click", () => this.home());
    by("sign").hidden = this.me.role !== "reviewer";
    by("sign").addEventListener("click", () => this.signoff());
    by("help").addEventListener("click", () => this.act("help"));
    by("guideline").addEventListener("click", () => this.act("guideline"));
    by("guideline").hidden = !this.me.guideline;
    by("saved").addEventListener("click", () => this.tellSaved());
    by("who").textContent = this.me.name;
    document.addEventListener("keydown", (event) => this.pressed(event));
    window.addEventListener("hashchange", () => this.route());
    window.addEventListener("pagehide", () => this.claim(true));
    setInterval(() => this.changes(), CHANGES);
    setInterval(() => this.claim(false), CLAIMS);
    document.body.classList.toggle("no-panel", !settings.get("panel", window.innerWidth > 760));
  }

  // where to ----------------------------------------------------------------------------------------------------

  // #given=cat&suggested=dog&check=..&drop=..&order=loss&at=12 is a slice; nothing is the plan
  route() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (![...asked].length) return this.home();
    if (asked.has("token")) return location.reload(); // a new link in an open tab
    const slice = {};
    let order = "suspicion";
    for (const [name, value] of asked) {
      if (name === "order") order = value in ORDERS ? value : order;
      else if (["given", "suggested", "check"].includes(name)) slice[name] = value;
      else if (name === "queued" || name === "open") slice[name] = true;
      else if (name in this.catalogue.groups) slice[`group:${name}`] = value;
    }
    this.show(slice, order, Number(asked.get("at") ?? -1));
  }

  remember() {
    if (location.hash.includes("token=")) return; // a new link: route() takes it
    const asked = new URLSearchParams();
    for (const [kind, value] of Object.entries(this.slice)) asked.set(kind.replace("group:", ""), value === true ? 1 : value);
    asked.set("order", this.order);
    if (this.grid.order.length) asked.set("at", this.grid.order[this.grid.cursor]);
    history.replaceState(null, "", `#${asked}`);
  }

  async home() {
    history.replaceState(null, "", location.pathname);
    this.views = [];
    try {
      const told = await json(query("/api/plan", { v: this.catalogue.version }));
      plan(by("plan"), told, this.catalogue, { begin: (slice) => this.show(slice, "suspicion"), all: () => this.show({}, "suspicion") });
    } catch (error) {
      const again = el("button", { type: "button", class: "main", onclick: () => this.home() }, "Try again");
      by("plan").replaceChildren(el("h1", {}, "Today"), el("section", {}, el("p", { class: "held" }, `The plan could not be read. ${error.message}`), again,
        " ", el("button", { type: "button", onclick: () => this.show({}, "suspicion") }, `All ${many(this.catalogue.n, "item")}`)));
      if (error.status === 409) this.stale();
    }
    this.page("plan");
    by("plan").querySelector("button")?.focus();
  }

  page(name) {
    for (const one of ["plan", "work", "wait", "signoff"]) by(one).hidden = one !== name;
    document.body.dataset.page = name;
    this.at = name;
  }

  show(slice, order, place = -1) {
    this.views = [];
    this.page("work");
    const places = this.catalogue.filter(slice);
    this.enter({ slice, order, places: this.catalogue.sort(places, order), likely: this.catalogue.likely(places, PINS) }, place);
    tell(`${many(places.length, "item")}, ${ORDERS[order]}`);
  }

  enter(view, place = -1, top = undefined) {
    this.selection.clear();
    Object.assign(this, { slice: view.slice, order: view.order, likely: view.likely, similar: view.similar });
    by("order").value = view.order;
    by("only").checked = Boolean(view.slice.open);
    by("none").hidden = view.places.length > 0;
    by("grid").hidden = by("batch").hidden = view.places.length === 0;
    if (!view.places.length) this.nothing();
    this.references(); // before the grid is measured: it takes its room at once
    this.grid.show(view.places, place < 0 ? 0 : view.places.indexOf(place), top ?? 0);
    this.showSlice();
    if (view.places.length) {
      if (top === undefined && this.grid.cursor) this.grid.to(this.grid.cursor, false);
      else this.grid.focus();
    } else by("none").querySelector("button")?.focus();
    this.selected();
    this.remember();
  }

  nothing() {
    const open = this.slice.open;
    const acts = [el("button", { type: "button", class: "main", onclick: () => this.home() }, "Back to the plan")];
    if (open) acts.push(el("button", { type: "button", onclick: () => { by("only").checked = false; by("only").dispatchEvent(new Event("change")); } }, "Show the answered ones"));
    if (this.groupKind()) acts.push(el("button", { type: "button", onclick: () => this.step(1) }, "Next group"));
    by("none").replaceChildren(el("p", { class: "big" }, open ? "✓ All answered" : "No items here"),
      el("p", { class: "soft" }, open ? "You have answered every item of this slice." : "No item is in every part of this slice. Take a part away, or choose another."),
      el("p", { class: "acts" }, ...acts));
  }

  showSlice() {
    const kinds = { ...this.catalogue.kinds(), queued: "queue" };
    const chips = Object.entries(this.slice).filter(([kind]) => kind !== "open").map(([kind, value]) => {
      const name = kinds[kind] ?? kind.replace("group:", "");
      const change = value === true ? null : () => this.choose(kind);
      const words = value === true ? name : [el("small", {}, name), said(value)];
      return el("span", { class: "chip" }, el("button", { type: "button", class: "value", onclick: change ?? (() => {}) }, ...[words].flat()),
        el("button", { type: "button", class: "off", "aria-label": `Take away ${name} ${value}`, onclick: () => this.without(kind) }, "×"));
    });
    if (this.similar !== undefined) {
      chips.push(el("span", { class: "chip similar" }, el("span", { class: "value" }, "similar to one ", said(this.catalogue.given(this.similar) ?? "item")),
        el("button", { type: "button", class: "off", "aria-label": "Back", onclick: () => this.back() }, "Esc")));
    }
    const more = this.similar === undefined ? [el("button", { type: "button", id: "more", onclick: () => this.add() }, chips.length ? "+" : "Slice +")] : [];
    by("slices").replaceChildren(...chips, ...more);
    by("count").textContent = many(this.grid.order.length, "item");
  }

  without(kind) {
    const { [kind]: gone, ...rest } = this.slice;
    this.show(rest, this.order);
  }

  async add() {
    const kinds = this.catalogue.kinds();
    const rows = Object.entries(kinds).filter(([kind]) => !(kind in this.slice)).map(([, title]) => [title, null]);
    if (!this.slice.queued) rows.unshift(["queue", this.catalogue.filter({ queued: true }).length]);
    const title = await ask.pick("Slice by", rows);
    if (title === null) return;
    if (title === "queue") this.show({ ...this.slice, queued: true }, this.order);
    else await this.choose(Object.entries(kinds).find(([, words]) => words === title)[0]);
  }

  async choose(kind) {
    const value = await ask.pick(this.catalogue.kinds()[kind], this.catalogue.counts(kind), { hint: "with the number of items" });
    if (value !== null) this.show({ ...this.slice, [kind]: value }, this.order);
  }

  groupKind() {
    return Object.keys(this.slice).find((kind) => kind !== "open" && kind !== "queued");
  }

  // the next or previous value of what the slice is made of first
  step(way) {
    const kind = this.groupKind() ?? (this.catalogue.classes.length ? "given" : null);
    if (kind === null) return tell("There are no groups.");
    const values = this.catalogue.counts(kind).map(([value]) => value);
    const at = values.indexOf(this.slice[kind]);
    const next = values[(at + way + values.length) % values.length];
    if (next !== undefined) this.show({ ...this.slice, [kind]: next }, this.order);
  }

  // three examples that nobody doubts, pinned above the grid
  async references() {
    const label = this.slice.given ?? this.slice.suggested;
    const k = this.catalogue.classes.indexOf(label);
    by("refs").hidden = k < 0 || this.me.preview === "card";
    if (by("refs").hidden) return;
    const pics = [0, 1, 2].map(() => el("div", { class: "pic", role: "img", "aria-label": `Example of ${label}` }));
    by("refs").replaceChildren(el("span", { class: "soft" }, "Sure examples of"), said(label, "is"), ...pics);
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

  // keys and clicks ---------------------------------------------------------------------------------------------

  pressed(event) {
    if (ask.isOpen() || event.defaultPrevented || event.isComposing) return;
    const on = event.target instanceof Element ? event.target : document.body;
    if (on.closest("input:not([type=checkbox]), textarea, select")) return;
    if (on.closest("button, a, input, label") && (event.key === "Enter" || event.key === " ")) return;
    const found = command(event, this.letters);
    if (!found) return;
    const [name, argument] = found;
    if (event.repeat && !REPEATS.has(name)) return event.preventDefault(); // a key held down answers once
    if (this.at !== "work" && !["help", "guideline"].includes(name)) return;
    if (!on.closest("#grid") && on !== document.body && !ANYWHERE.has(name)) return; // an answer is for where the focus is
    event.preventDefault();
    if (name === "move") this.move(argument, event.shiftKey);
    else this.act(name, argument);
  }

  move(way, shift) {
    const { grid, selection } = this;
    if (!grid.order.length) return;
    const from = grid.cursor;
    let to = moved(way, from, grid);
    if (shift && way === "pagedown") {
      const [first, last] = grid.onScreen(); // the rest of this screen; from its end, the next one
      if (!grid.isOnScreen(from)) {
        grid.cursor = first;
        to = last;
      } else to = from < last ? last : Math.min(grid.last, last + grid.across * grid.fits);
    }
    if (shift) selection.reach(grid.cursor, to, grid.isOnScreen);
    const several = shift || selection.range !== null;
    if (!shift) selection.let_go();
    grid.to(to, several);
    this.selected();
  }

  clicked(position, event) {
    const { grid, selection } = this;
    const n = grid.order[position];
    if (event.shiftKey) {
      if (selection.range === null || selection.head !== grid.cursor) selection.let_go();
      const anchor = selection.anchor ?? grid.cursor;
      if (grid.isOnScreen(anchor)) Object.assign(selection, { anchor, head: position });
      else {
        Object.assign(selection, { anchor: position, head: position });
        tell("The range begins here: where it began before is not on the screen.");
      }
    } else {
      selection.let_go();
      if (event.ctrlKey || event.metaKey) selection.flag(n);
    }
    grid.to(position);
    this.selected();
  }

  paint(ns, on) {
    for (const n of ns) this.selection.flag(n, on);
    this.selection.let_go();
    this.grid.repaint();
    this.selected();
  }

  act(name, argument) {
    const { grid, selection } = this;
    const plain = {
      help: () => ask.help(this.letters, (on) => settings.set("letters", (this.letters = on))),
      guideline: () => this.guideline(),
      undo: () => this.undo(),
      back: () => this.back(),
      next: () => this.step(1),
      previous: () => this.step(-1),
      larger: () => this.size(1),
      smaller: () => this.size(-1),
      panel: () => this.togglePanel(),
    }[name];
    if (plain) return plain();
    if (!grid.order.length) return undefined;
    if (!this.atHand(["flag", "similar", "question", "pattern", "open"].includes(name))) return undefined;
    const n = grid.order[grid.cursor];
    return {
      flag: () => {
        selection.flag(n);
        grid.repaint();
        this.selected();
      },
      keep: () => this.give("keep"),
      label: () => this.label(argument),
      search: () => this.search(),
      unsure: () => this.give("unsure"),
      remove: () => this.give("remove"),
      ambiguous: () => this.ambiguous(),
      similar: () => this.alike(n),
      question: () => this.noted([n], "question", "Ask about this item"),
      pattern: () => this.pattern(),
      open: () => this.open(),
    }[name]?.();
  }

  // an answer never goes to what is not on the screen: the cursor, and a range's end, must be there
  atHand(alone) {
    const { grid, selection } = this;
    const end = alone ? grid.cursor : selection.range ? selection.head : selection.flags.size ? null : grid.cursor;
    if (end === null || grid.isOnScreen(end)) return true;
    selection.let_go();
    grid.to(grid.cursor);
    this.selected();
    tell("The cursor was not on the screen. It is now; nothing was answered.");
    return false;
  }

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
    const words = what ?? { keep: "right", unsure: "not sure", remove: "remove", ambiguous: "several labels" }[action];
    let ns = await this.agreed(action, words);
    if (action === "keep" && this.me.widget !== "text") {
      const bare = ns.filter((n) => this.catalogue.given(n) === null).length;
      if (bare) tell(`${many(bare, "item has", "items have")} no label that could be right.`);
      ns = ns.filter((n) => this.catalogue.given(n) !== null);
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
    this.selected();
  }

  async label(key) {
    if (key > 1) {
      const label = this.onKey(key);
      if (label === undefined) tell(`No label is on key ${key}. Press / and pin one.`);
      else await this.give("relabel", { label }, label);
      return;
    }
    const one = this.suggestion(this.grid.order[this.grid.cursor]);
    const ns = this.touched("relabel");
    const without = ns.filter((n) => this.suggestion(n) === null).length;
    if (without) tell(ns.length === 1 ? "There is no suggestion for this item." : `${many(without, "of these has", "of these have")} no suggestion: nothing was answered.`);
    else await this.give("relabel", (n) => ({ label: this.suggestion(n) }), ns.length === 1 ? one : "their suggestion");
  }

  suggestion(n) {
    if (this.me.widget !== "text") return this.catalogue.suggested(n);
    return this.card(n)?.suggestion ?? null;
  }

  card(n) {
    for (const sheet of this.sheets.loaded.values()) if (sheet.cards?.has(n)) return sheet.cards.get(n);
    return undefined;
  }

  onKey(key) {
    if (this.pins.has(key)) return this.pins.get(key);
    const pinned = new Set(this.pins.values());
    const free = Array.from({ length: PINS }, (_, k) => k + 2).filter((one) => !this.pins.has(one));
    return this.likely.filter((label) => !pinned.has(label))[free.indexOf(key)];
  }

  async search() {
    if (this.me.widget === "text") return this.correct();
    const label = await ask.pick("Label", this.labels(), { pinned: this.pinning(), hint: "A pinned label keeps its key." });
    if (label !== null) await this.give("relabel", { label }, label);
    return undefined;
  }

  labels() {
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
        return this.showKeys();
      },
    };
  }

  // a text in place of a label: written, from the suggestion
  async correct() {
    const n = this.grid.order[this.grid.cursor];
    const card = this.sheets.of(this.grid.cursor)?.cards?.get(n);
    if (!card) return tell("This card has not come yet.");
    this.selection.clear();
    const label = await ask.write("The right text", { text: card.suggestion ?? card.label ?? "", hint: card.text });
    if (label !== null) await this.give("relabel", { label }, "the text you wrote");
    return undefined;
  }

  async ambiguous() {
    if (!this.catalogue.classes.length) return tell("Labels of this kind are texts: there is one.");
    const n = this.grid.order[this.grid.cursor];
    const chosen = [...new Set([this.catalogue.given(n), this.catalogue.suggested(n)])].filter((label) => label !== null);
    const labels = await ask.pick("Which labels are right?", this.labels(), { several: true, chosen });
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

  async resolve(n) {
    const label = this.me.widget === "text" ? await ask.write("The right text") : await ask.pick("Which label is right?", this.labels());
    return label !== null && Boolean(this.answering.give([n], "resolve", { label }));
  }

  async signoff() {
    history.replaceState(null, "", location.pathname);
    this.page("signoff");
    try {
      await signoff(by("signoff"), this.catalogue, this.me, {
        approve: (n, op) => Boolean(this.answering.give([n], "approve", { of: op })),
        back: (n, op) => this.noted([n], "return", "Return it: why?", { of: op }),
        resolve: (n) => this.resolve(n),
        reply: (n, op) => this.noted([n], "answer", "Answer the question", { of: op }),
        look: (n) => ask.picture(this.catalogue.given(n) ?? "The item", places("/api/asset", this.catalogue.version, [n])),
      });
    } catch (error) {
      by("signoff").replaceChildren(el("h1", {}, "Sign-off"), el("section", {}, el("p", { class: "held" }, `It could not be read. ${error.message}`)));
      if (error.status === 409) this.stale();
    }
  }

  undo() {
    const n = this.answering.undo();
    if (n === null) return;
    const at = this.grid.order.indexOf(n);
    this.selection.let_go();
    if (at >= 0) this.grid.to(at);
    this.selected();
  }

  async alike(n) {
    try {
      const { places: near } = await json(query("/api/similar", { v: this.catalogue.version, n, k: 60 }));
      const { grid } = this;
      this.views.push({ slice: this.slice, order: this.order, likely: this.likely, similar: this.similar, places: grid.order,
        place: grid.order[grid.cursor], top: by("grid").scrollTop, flags: [...this.selection.flags] });
      const view = { slice: this.slice, order: this.order, places: Uint32Array.from(near), likely: this.catalogue.likely(near, PINS), similar: n };
      this.enter(view, n);
      tell(`${many(near.length, "item")} like this one. Escape comes back.`);
    } catch (error) {
      tell(`Nothing similar could be read. ${error.message}`);
    }
  }

  back() {
    if (this.selection.range || this.selection.flags.size) {
      this.selection.clear();
      this.grid.repaint();
      this.selected();
      tell("Let go.");
    } else if (this.views.length) {
      const view = this.views.pop();
      this.enter(view, view.place, view.top);
      for (const n of view.flags) this.selection.flag(n);
      this.grid.repaint();
      this.selected();
      tell("Back.");
    }
  }

  size(way) {
    const at = SIZES.findIndex((pixels) => pixels >= this.grid.wish);
    const pixels = SIZES[Math.max(0, Math.min(SIZES.length - 1, at + way))];
    settings.set("size", pixels);
    this.grid.size(pixels);
    this.grid.to(this.grid.cursor);
  }

  togglePanel() {
    const off = document.body.classList.toggle("no-panel");
    settings.set("panel", !off);
    this.evidence();
  }

  async open() {
    const n = this.grid.order[this.grid.cursor];
    const address = places("/api/asset", this.catalogue.version, [n]);
    const title = this.catalogue.given(n) ?? "The item";
    if (this.me.preview !== "card") return ask.picture(title, address);
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

  // what is shown -----------------------------------------------------------------------------------------------

  painted() {
    if (this.at !== "work") return;
    this.grid.repaint();
    this.showTouched();
  }

  selected() {
    this.showTouched();
    this.showKeys();
    this.evidence();
  }

  showTouched() {
    const { range, flags } = this.selection;
    const line = (count, words, more) => el("div", {}, el("b", {}, number(count)), words, more ? el("div", { class: "soft" }, more) : null);
    const parts = [];
    if (range) {
      const [whole, rest] = [range[1] - range[0] + 1, this.touched("keep").length];
      parts.push(line(whole, " in the range", rest < whole ? `Enter accepts ${number(rest)}` : ""));
    }
    if (flags.size) parts.push(line(flags.size, " flagged"));
    if (!parts.length && this.grid.order.length) parts.push(el("span", { class: "soft" }, `${number(this.grid.cursor + 1)} of ${number(this.grid.order.length)}`));
    by("touched").replaceChildren(...parts);
    by("batch").classList.toggle("many", Boolean(range || flags.size));
  }

  showKeys() {
    const n = this.grid.order[this.grid.cursor];
    const act = (key, words, name, argument, kind = "") => el("button", { type: "button", class: kind, tabindex: "-1",
      onclick: () => { this.act(name, argument); } }, el("kbd", {}, key), words);
    const several = this.selection.range !== null || this.selection.flags.size > 0;
    const hint = n === undefined ? null : this.me.widget === "text" ? this.suggestion(n) : this.catalogue.suggested(n);
    const rows = [act("⏎", "Right", "keep"), act("1", several ? "Their suggestion" : (hint === null ? "No suggestion" : said(hint)), "label", 1, hint === null && !several ? "dim" : "suggested")];
    for (let key = 2; key <= 9 && this.me.widget !== "text"; key++) {
      const label = this.onKey(key);
      if (label !== undefined) rows.push(act(key, said(label), "label", key, this.pins.has(key) ? "pinned" : ""));
    }
    rows.push(act("/", this.me.widget === "text" ? "Write" : "Label …", "search"), act("0", "Not sure", "unsure"));
    if (this.catalogue.classes.length) rows.push(act("a", "Several", "ambiguous"));
    rows.push(act("Del", "Remove", "remove"), act("x", "Flag", "flag"), act("f", "Similar", "similar"), act("q", "Ask", "question"),
      act("p", "Pattern", "pattern"), act("z", "Undo", "undo"), act("i", "Evidence", "panel"));
    by("acts").replaceChildren(...rows);
  }

  evidence() {
    clearTimeout(this.looking);
    const n = this.grid.order[this.grid.cursor];
    if (document.body.classList.contains("no-panel")) return;
    if (n === undefined) return this.panel.clear("No item.");
    this.looking = setTimeout(async () => {
      this.looked?.abort();
      this.looked = new AbortController();
      try {
        const item = await json(query("/api/item", { v: this.catalogue.version, n }), { signal: this.looked.signal });
        this.panel.show(n, item, this.card(n));
      } catch (error) {
        if (error.name !== "AbortError") this.panel.clear(`The evidence could not be read. ${error.message}`);
      }
    }, 160);
  }

  showSaved() {
    const { waiting, problem } = this.outbox;
    const refused = this.refusals.length;
    const words = waiting ? `waiting (${number(waiting)})` : "saved";
    by("saved").textContent = refused ? `${words} · refused (${number(refused)})` : words;
    by("saved").dataset.state = refused ? "refused" : waiting ? "waiting" : "saved";
    by("saved").title = problem || "Every answer is on the server's disk.";
    by("saved").dataset.waiting = waiting;
  }

  tellSaved() {
    const { waiting, problem, batches } = this.outbox;
    const stale = batches.filter((batch) => batch.stale).reduce((sum, batch) => sum + batch.answers.length, 0);
    const words = waiting ? `${many(waiting, "answer is", "answers are")} in this browser and not on the server yet. ${problem}` : "Every answer that you gave is on the server's disk.";
    const old = stale ? ` ${many(stale, "was", "were")} made on an older state of the dataset, which the server no longer takes.` : "";
    const acts = waiting ? [["Send now", () => { for (const batch of batches) batch.stale = false; this.outbox.now(); }]] : [];
    if (this.refusals.length) acts.push(["I have read this", () => { this.refusals = []; this.showSaved(); }]);
    ask.listed("Saved?", words + old, this.refusals, acts);
  }

  notice(sentence, act) {
    by("notice").replaceChildren(sentence, act ? el("button", { type: "button", onclick: act[1] }, act[0]) : "");
    by("notice").hidden = !sentence;
  }

  // what the server says ----------------------------------------------------------------------------------------

  saved(reply) {
    this.notice("");
    if (reply.states) this.answering.heard(reply.states);
    if (this.panel.n >= 0 && this.at === "work") this.evidence();
  }

  refused(rows) {
    this.refusals.push(...this.answering.refused(rows));
    tell(`${many(rows.length, "answer was", "answers were")} refused: ${rows[0].reason}`);
    this.showSaved();
  }

  stale() {
    this.notice("The dataset has changed since this page was opened.", ["Open it again", () => location.reload()]);
  }

  missing(error) {
    if (error.status === 409) this.stale();
    else if (error.status === 401) this.notice("Your session has ended. Open the link that assay review prints again; nothing is lost.");
  }

  settled() {
    if (this.at !== "work") return;
    this.remember();
    clearTimeout(this.claiming);
    this.claiming = setTimeout(() => this.claim(false), 800);
  }

  came(from, to) {
    this.grid.came(from, to);
    if (this.me.preview === "card") this.showKeys(); // the suggestion has come with the card
  }

  async changes() {
    if (document.hidden) return;
    try {
      const told = await json(query("/api/changes", { since: this.seq }));
      this.seq = told.seq;
      if (told.states.length) this.answering.heard(told.states);
    } catch (error) {
      if (error.status === 409) this.stale(); // else: the next look, in ten seconds
    }
  }

  async claim(release) {
    if (this.at !== "work" || !this.grid.order.length) return;
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
    const [me, buffer] = await Promise.all([json("/api/me"), bytes("/api/catalogue")]);
    const review = new Review(me, parse(buffer));
    await review.route();
  } catch (error) {
    const words = error.status === 401 ? [el("h1", {}, "Who are you?"), el("p", {}, "Open the link that this command prints. It holds your token, once:"), el("p", {}, el("code", {}, "assay review"))]
      : [el("h1", {}, "Not yet"), el("p", {}, error.status ? error.message : "The server does not answer."), el("p", {}, el("button", { type: "button", class: "main", onclick: () => location.reload() }, "Try again"))];
    by("wait").replaceChildren(el("section", {}, ...words));
    if (!(error.status || error instanceof TypeError)) throw error;
  }
}

begin();
