// What waits for a reviewer? A sample of each labeler's answers, disputes to settle, questions to answer.

import { el, many, number, percent, said } from "./dom.js";
import { blob, json, places, query } from "./wire.js";
import { DID } from "./words.js";

const A_SHEET = 60;

const gold = (found) => (found?.n ? `; gold ${number(found.right)} of ${number(found.n)} right (${percent(found.low)} to ${percent(found.high)})` : "");

// acts: {approve(n, op), back(n, op), resolve(n, sides), reply(n, op), look(n), again()}; each change is written by the outbox
export async function signoff(root, catalogue, me, acts) {
  const told = await json(query("/api/signoff", { v: catalogue.version }));
  const tiles = [];
  const tile = (n) => {
    if (me.cards || n === null || n === undefined) return null;
    const pic = el("button", { type: "button", class: "pic", "aria-label": "Look at it", onclick: () => acts.look(n) });
    tiles.push([n, pic]);
    return pic;
  };
  const verdict = (one) => el("span", {}, one.action === "keep" && one.given ? [said(one.given, "is"), " "] : null, DID[one.action] ?? one.action, one.label && one.action !== "keep" ? [" ", said(one.label, "to")] : null);
  const row = (n, words, buttons) => {
    const line = el("li", { "data-n": n }, tile(n), el("div", { class: "what" }, ...words), el("div", { class: "acts" }, ...buttons));
    return line;
  };
  const act = (words, what, kind = "") => el("button", { type: "button", class: kind, onclick: async (event) => {
    const line = event.target.closest("li");
    if (await what()) {
      line.classList.add("done");
      for (const button of line.querySelectorAll(".acts button")) button.disabled = true;
    }
  } }, words);
  const gone = (n) => (n === null || n === undefined ? el("small", {}, "no longer in the dataset") : null);
  const labelers = told.labelers.map((who) => el("section", {}, el("h2", {}, said(who.name)),
    el("p", { class: "soft" }, `${many(who.answers, "answer")}, ${number(who.approved)} approved, ${number(who.returned)} returned${gold(who.gold)}`),
    who.sample.length ? el("ul", { class: "rows" }, ...who.sample.map((one) => row(one.n, [
      el("div", {}, one.action === "keep" ? null : [said(one.given ?? "no label", "is"), " "], verdict(one)), gone(one.n)], one.n === null || one.n === undefined ? [] : [
      act("Approve", () => acts.approve(one.n, one.op)), act("Return", () => acts.back(one.n, one.op))]))) : el("p", { class: "soft empty" }, "Nothing waits.")));
  const disputes = told.disputes.map((one) => row(one.n, [
    ...one.answers.map((answer) => el("div", {}, el("b", {}, said(answer.who)), " ", verdict(answer))), gone(one.n)],
  one.n === null || one.n === undefined ? [] : [act("Settle", () => acts.resolve(one.n, one.sides), "main")]));
  const questions = told.questions.map((one) => row(one.n, [
    el("div", {}, el("b", {}, said(one.who)), ` ${DID.question}`), el("p", {}, said(one.text, "free")), gone(one.n)],
  one.n === null || one.n === undefined ? [] : [act("Answer", () => acts.reply(one.n, one.op), "main")]));
  const block = (title, rows, none) => el("section", {}, el("h2", {}, title),
    rows.length ? el("ul", { class: "rows" }, ...rows) : el("p", { class: "soft empty" }, none));
  root.replaceChildren(el("h1", {}, "Sign-off"),
    el("p", { class: "soft" }, `${many(disputes.length, "dispute")}, ${many(questions.length, "question")}, and a sample of each labeler's answers.`),
    block("Disputes", disputes, "Nobody disagrees."), block("Questions", questions, "Nobody asks."),
    ...(labelers.length ? labelers : [el("section", {}, el("h2", {}, "Labelers"), el("p", { class: "soft empty" }, "Nobody has a token as a labeler yet. Run: ", el("code", {}, "assay reviewer add NAME --role labeler")))]));
  for (let at = 0; at < tiles.length; at += A_SHEET) await dress(catalogue, tiles.slice(at, at + A_SHEET));
}

async function dress(catalogue, tiles) {
  try {
    const address = URL.createObjectURL(await blob(places("/api/sheet", catalogue.version, tiles.map(([n]) => n))));
    const rows = Math.ceil(tiles.length / 10);
    tiles.forEach(([, pic], k) => {
      pic.style.backgroundSize = "1000% auto";
      pic.style.backgroundPosition = `${((k % 10) * 100) / 9}% ${rows > 1 ? (Math.floor(k / 10) * 100) / (rows - 1) : 0}%`;
      pic.style.backgroundImage = `url("${address}")`;
    });
  } catch {
    // without pictures the words are there
  }
}
