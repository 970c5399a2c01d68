// Why is this item here? The evidence for the one under the cursor; what others said only after one's own answer.

import { STATES } from "./catalogue.js";
import { el, percent, said } from "./dom.js";
import { blob, places } from "./wire.js";
import { DID } from "./words.js";

const when = (at) => (at ? at.slice(0, 16).replace("T", " ") : "");

// a picture of a few pixels is shown as such, not as a blur
export const crisp = (event) => event.target.classList.toggle("small", event.target.naturalWidth < 96);

export class Panel {
  // acts: {reply(n, op), undo(n, op), approve(n, op), back(n, op), resolve(n, sides), open()}
  constructor(root, catalogue, me, widget, acts) {
    Object.assign(this, { root, catalogue, me, widget, acts, n: -1, tokens: [] });
  }

  clear(sentence) {
    this.n = -1;
    this.root.replaceChildren(el("p", { class: "soft empty" }, sentence));
  }

  // card: {text, ..} of the item, where items are texts
  show(n, item, card) {
    this.n = n;
    const { catalogue } = this;
    for (const address of this.tokens.splice(0)) URL.revokeObjectURL(address);
    const state = catalogue.state[n];
    const given = item.given ?? "no label";
    const [is, to] = item.suggestion && item.suggestion !== item.given ? this.widget.compared(given, item.suggestion) : [said(given, "is"), null];
    const facts = [["drop", item.drop], ["split", item.split], ["source", item.source], ...Object.entries(item.meta ?? {})]
      .filter(([, value]) => value !== null && value !== undefined && value !== "");
    const preview = this.me.cards ? null
      : el("img", { class: "asset", alt: `Item ${item.item}`, src: places("/api/asset", catalogue.version, [n]), onclick: () => this.acts.open(), onload: crisp });
    this.root.replaceChildren(...[
      el("header", {}, el("span", { class: "state", "data-state": state }, STATES[state]), el("code", { class: "id", title: item.item }, item.item)),
      preview,
      card ? el("p", { class: "whole-text" }, said(card.text, "free")) : null,
      el("div", { class: "labels" }, el("div", {}, el("small", {}, "given"), is), to ? el("div", {}, el("small", {}, "suggested"), to) : null,
        el("div", {}, el("small", {}, "p wrong"), el("b", {}, item.p_wrong === null ? "–" : percent(item.p_wrong)))),
      this.findings(item.findings ?? []), this.near(item.near ?? []), this.answers(item), this.thread(item.thread ?? []),
      facts.length ? el("section", {}, el("h3", {}, "Where from"), el("dl", { class: "facts" },
        ...facts.flatMap(([name, value]) => [el("dt", {}, name.replace(/^meta_/, "")), el("dd", {}, said(String(value)))]))) : null,
    ].filter(Boolean));
  }

  findings(rows) {
    return el("section", {}, el("h3", {}, "Why it is here"), rows.length ? el("ul", { class: "findings" }, ...rows.map((row) => {
      const bar = el("i", { class: "bad" });
      bar.style.width = `${Math.round(100 * row.severity)}%`;
      return el("li", {}, el("div", { class: "head" }, el("code", {}, row.check), el("span", { class: "n" }, row.severity.toFixed(2))),
        el("div", { class: "split", "aria-hidden": "true" }, bar), el("p", {}, said(row.reason, "free")));
    })) : el("p", { class: "soft" }, "No check has anything against it."));
  }

  near(rows) {
    if (!rows.length) return null;
    const tiles = rows.map((row) => {
      const pic = el("div", { class: "pic" });
      return [pic, el("figure", {}, this.me.cards ? null : pic, el("figcaption", {}, said(row.label), row.confirmed ? el("span", { class: "yes", title: "confirmed by a person" }, " ✓") : ""))];
    });
    if (!this.me.cards) this.sheet(rows.map((row) => row.n), tiles.map(([pic]) => pic));
    return el("section", {}, el("h3", {}, "Nearest"), el("div", { class: this.me.cards ? "near words-only" : "near" }, ...tiles.map(([, figure]) => figure)));
  }

  // one sheet for a handful of places, as the backgrounds of these elements
  async sheet(ns, pics) {
    try {
      const address = URL.createObjectURL(await blob(places("/api/sheet", this.catalogue.version, ns)));
      this.tokens.push(address);
      pics.forEach((pic, k) => {
        pic.style.backgroundSize = "1000% auto";
        pic.style.backgroundPosition = `${((k % 10) * 100) / 9}% ${-Math.floor(k / 10) * 100}%`;
        pic.style.backgroundImage = `url("${address}")`;
      });
    } catch {
      // a picture of a neighbour is missing; its label is there
    }
  }

  // what counts can be taken back or signed
  signing(one) {
    if (!one.stands) return [];
    if (one.who === this.me.name) return [el("button", { type: "button", onclick: () => this.acts.undo(this.n, one.op) }, "Undo")];
    if (this.me.role !== "reviewer") return [];
    const acts = [["approve", "Approve", () => this.acts.approve(this.n, one.op)], ["return", "Return", () => this.acts.back(this.n, one.op)]];
    return acts.filter(([name]) => name !== one.signed).map(([, words, onclick]) => el("button", { type: "button", onclick }, words));
  }

  answers({ answers = [], sides = [] }) {
    const mine = this.catalogue.mine[this.n] === 1;
    const rows = answers.map((one) => {
      const acts = this.signing(one);
      const past = one.stands || one.signed === "return" ? [] : ["counts no more"];
      const standing = [when(one.at), ...(one.signed ? [DID[one.signed]] : []), ...past].join(" · ");
      const settled = one.action === "resolve" && one.label === null ? DID.remove : null;
      return el("li", { class: one.stands ? "" : "before" }, el("div", {}, el("b", {}, said(one.who)), ` ${DID[one.action] ?? one.action} `, one.label ? said(one.label, "to") : settled),
        el("div", { class: "soft" }, standing), acts.length ? el("div", { class: "acts" }, ...acts) : null);
    });
    const settle = this.me.role === "reviewer" && this.catalogue.state[this.n] === 3
      ? el("button", { type: "button", class: "main", onclick: () => this.acts.resolve(this.n, sides) }, "Settle the dispute") : null;
    const others = answers.some((one) => one.who !== this.me.name);
    const untold = this.me.role === "reviewer" ? "Nobody has answered." : mine ? "Nobody else has answered." : "What others said is shown after your own answer.";
    return el("section", {}, el("h3", {}, "Answers"), rows.length ? el("ul", { class: "answers" }, ...rows) : null,
      !rows.length || (!mine && !others && this.me.role !== "reviewer") ? el("p", { class: "soft" }, untold) : null, settle);
  }

  thread(rows) {
    if (!rows.length) return null;
    return el("section", {}, el("h3", {}, "Thread"), el("ul", { class: "thread" }, ...rows.map((row) =>
      el("li", {}, el("div", {}, el("b", {}, said(row.who)), " ", el("span", { class: "soft" }, `${DID[row.kind] ?? row.kind} · ${when(row.at)}`)),
        row.text ? el("p", {}, said(row.text, "free")) : null, this.talking(row)))));
  }

  talking(row) {
    const act = (words, onclick) => el("button", { type: "button", onclick }, words);
    const acts = [];
    if (row.open && this.me.role === "reviewer") acts.push(act("Answer", () => this.acts.reply(this.n, row.op)));
    if (row.who === this.me.name && (row.open || row.kind === "return")) acts.push(act("Undo", () => this.acts.undo(this.n, row.op)));
    return acts.length ? el("div", { class: "acts" }, ...acts) : null;
  }
}
