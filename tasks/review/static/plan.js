// What is there to do today? How many items, how long it takes, and the worst slices first.

import { el, many, named, number, percent } from "./dom.js";

// the server's filter, with classes by number or name, as the grid's slice
export function sliceOf(filter, catalogue) {
  const slice = {};
  const nameOf = (k) => (typeof k === "number" ? catalogue.classes[k] : k);
  for (const kind of ["given", "suggested"]) {
    if (filter[kind] !== undefined && filter[kind] !== null) slice[kind] = nameOf(filter[kind]);
  }
  if (filter.check) slice.check = filter.check;
  for (const [name, value] of Object.entries(filter.group ?? {})) slice[`group:${name}`] = value;
  if (filter.queued) slice.queued = true;
  return slice;
}

export const everything = (n) => (n === 1 ? "The only item" : `All ${many(n, "item")}`);

export function plan(root, told, catalogue, { begin, all }) {
  const tile = (figure, what) => el("div", {}, el("b", {}, number(figure)), el("span", {}, what));
  const minutes = told.items ? Math.max(1, Math.round(told.minutes)) : 0;
  const done = catalogue.mine.reduce((sum, one) => sum + one, 0);
  const worst = Math.max(1, ...told.slices.map((slice) => slice.expected || 0));
  const rows = told.slices.map((slice) => {
    const bar = el("i", { class: "ok" });
    bar.style.width = `${Math.round((100 * (slice.expected || 0)) / worst)}%`;
    const act = el("button", { type: "button", class: "slice", onclick: () => begin(sliceOf(slice.filter, catalogue)) },
      el("span", { class: "title" }, named(slice.title)), el("span", { class: "split", "aria-hidden": "true" }, bar),
      el("span", { class: "n" }, many(slice.items, "item")),
      el("span", { class: "n soft" }, `about ${number(Math.round(slice.expected))} wrong`));
    return el("li", {}, act);
  });
  const nothing = catalogue.n === 0
    ? el("p", { class: "empty" }, "There are no items yet. Run: ", el("code", {}, "assay run"))
    : el("p", { class: "empty" }, "The queue is empty: nothing is suspicious enough to ask about. ", el("span", { class: "soft" }, "All items are still there to look through."));
  const stop = told.stop
    ? el("section", { class: "stop" }, el("h2", {}, told.stop.seen ? "Stop here?" : "Is it worth it?"), el("p", {}, told.stop.sentence),
      told.stop.seen ? el("p", { class: "soft" }, `Of the last ${number(told.stop.seen)}, ${percent(told.stop.wrong / Math.max(1, told.stop.seen))} were wrong.`) : null)
    : null;
  const first = told.slices[0];
  const back = catalogue.counts("state").find(([state]) => state === "returned")?.[1] ?? 0;
  const returned = back ? el("section", { class: "stop back" }, el("p", {}, `↩ ${many(back, "answer was", "answers were")} sent back, with a reason. `,
    el("button", { type: "button", onclick: () => begin({ state: "returned" }) }, "Look at what was sent back"))) : null;
  root.replaceChildren(...[el("h1", {}, "Today"),
    el("p", { class: "soft" }, told.items ? `${many(told.items, "item")}, about ${many(minutes, "minute")}. The worst first.` : "Nothing waits for you."),
    el("div", { class: "strip" }, tile(told.items, told.items === 1 ? "item to look at" : "items to look at"), tile(minutes, minutes === 1 ? "minute, about" : "minutes, about"),
      tile(told.slices.length, told.slices.length === 1 ? "slice" : "slices"), tile(done, "answered by you")), returned, stop,
    el("section", {}, el("h2", {}, "Worst slices first"), rows.length ? el("ol", { class: "slices" }, ...rows) : nothing),
    el("p", { class: "acts" },
      first ? el("button", { type: "button", class: "main", id: "start", onclick: () => begin(sliceOf(first.filter, catalogue)) }, "Start with the worst") : null,
      catalogue.n ? el("button", { type: "button", id: "all", onclick: all }, everything(catalogue.n)) : null)].filter(Boolean));
}
