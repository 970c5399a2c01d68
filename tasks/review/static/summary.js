// What has come of the session, and what is left? The end of it: a reviewer may publish what was answered.

import { el, many, number, percent } from "./dom.js";
import { sliceOf } from "./plan.js";
import { publishing } from "./publish.js";
import { json, query } from "./wire.js";
import { DID } from "./words.js";

const tile = (figure, what) => el("div", {}, el("b", {}, figure), el("span", {}, what));

// tally: {answers, acts} of this browser today; acts: {begin(slice), signoff()}
export async function summary(root, catalogue, tally, acts) {
  const told = await json(query("/api/summary", { v: catalogue.version }));
  const { today, left, open } = told;
  root.replaceChildren(...[el("h1", {}, "Summary"),
    el("p", { class: "soft" }, today.answers ? `${many(today.answers, "answer")} today${told.all.answers > today.answers ? `, ${number(told.all.answers)} in all` : ""}.` : "You have given no answer today."),
    el("div", { class: "strip", id: "did" }, tile(number(today.fixed), "fixed"), tile(number(today.confirmed), "confirmed"),
      tile(number(today.unsure), DID.unsure), tile(number(today.several), DID.ambiguous), tile(number(today.questions), today.questions === 1 ? "question" : "questions")),
    el("section", {}, el("h2", {}, "How it went"), gold(told.gold), pace(tally)),
    el("section", {}, el("h2", {}, "What is left"), ...rest(left, open, told.next[0], catalogue, acts)),
    told.publishes ? publishing(told.revision) : null].filter(Boolean));
}

function gold(found) {
  if (!found || !found.n) return el("p", { class: "soft" }, "Gold: none answered yet. Now and then an item is mixed in whose label reviewers have settled; nothing marks it.");
  return el("p", { id: "gold" }, el("b", {}, `Gold: ${number(found.right)} of ${number(found.n)} right`), `, ${percent(found.right / found.n)}`,
    el("span", { class: "soft" }, ` (between ${percent(found.low)} and ${percent(found.high)} of your answers, 19 times in 20). Gold items look like all others; their labels are settled.`));
}

function pace({ answers, acts }) {
  if (!answers) return null;
  return el("p", {}, el("b", {}, percent(1 - acts / answers)), ` of the answers needed no key or click of their own: `, el("span", { class: "soft" },
    `${many(answers, "answer")} by ${many(acts, "act")}, in this browser today.`));
}

function rest(left, open, next, catalogue, acts) {
  const lines = [el("p", {}, left.items ? `${many(left.items, "item")} of the queue, about ${many(Math.max(1, Math.round(left.minutes)), "minute")}.` : "Nothing of the queue is left.")];
  const waits = [[open.returned, "was sent back to you", "were sent back to you"], [open.disputes, "is disputed", "are disputed"], [open.questions, "question waits", "questions wait"]];
  const words = waits.filter(([count]) => count).map(([count, one, more]) => `${number(count)} ${count === 1 ? one : more}`);
  if (words.length) lines.push(el("p", { class: "soft" }, `${words.join(", ")}.`));
  if (next) lines.push(el("button", { type: "button", onclick: () => acts.begin(sliceOf(next.filter, catalogue)) }, "Go on with the worst"));
  return lines;
}
