// How does a reviewer publish what was answered? What it changes, a yes, its progress, and the tag or one sentence.

import { ask as open } from "./dialogs.js";
import { el, many, named, number, said } from "./dom.js";
import { json, post } from "./wire.js";

const LOOK = 700; // milliseconds between two looks at the run

export function publishing(revision) {
  const body = el("div", { id: "publishing" });
  const first = el("button", { type: "button", class: "main", id: "publish", onclick: () => agreed(body) }, "Publish …");
  const section = el("section", {}, el("h2", {}, "Publish"), el("p", { class: "soft" }, revision ? ["The newest revision is ", said(revision), "."] : "Nothing is published yet."), body);
  body.replaceChildren(first);
  json("/api/publish").then((status) => (status.state === "running" ? follow(body) : null)).catch(() => {}); // the button says it when pressed
  return section;
}

async function agreed(body) {
  const wait = (words) => body.replaceChildren(el("p", { class: "soft", role: "status" }, words));
  wait("Looking at what would change …");
  try {
    const found = await json("/api/changes-to-publish");
    if (await open("Publish these answers?", (close) => changes(found, close))) {
      await post("/api/publish", {});
      await follow(body);
    } else body.replaceChildren(again(body, "Publish …"));
  } catch (error) {
    failed(body, error.message);
  }
}

const again = (body, words) => el("button", { type: "button", class: "main", id: "publish", onclick: () => agreed(body) }, words);

function changes(found, close) {
  const parts = [[found.relabelled, "relabelled"], [found.removed, "removed"], [found.added, "added"], [found.kept, "kept"]];
  const words = parts.filter(([count, what]) => count || what === "kept").map(([count, what]) => `${number(count)} ${what}`).join(", ");
  const row = (one) => el("tr", {}, el("td", {}, named(one.name)), ...[one.out, one.into, one.removed].map((count) => el("td", { class: "n" }, count ? number(count) : "")));
  const head = ["class", "from it", "to it", "removed"].map((title, k) => el("th", { scope: "col", class: k ? "n" : "" }, title));
  const nothing = !found.relabelled && !found.removed && !found.added && found.since;
  return el("div", { id: "changes" }, el("p", {}, el("b", {}, words), found.since ? [", since ", said(found.since), "."] : ", compared with what was delivered."),
    found.open ? el("p", { class: "soft" }, `${many(found.open, "item is", "items are")} disputed or unsure, and ${found.open === 1 ? "keeps its" : "keep their"} last undisputed label.`) : null,
    found.classes.length ? el("p", { class: "soft" }, "By class: labels changed from it and to it, and items removed.") : null,
    found.classes.length ? el("div", { class: "scroll" }, el("table", { class: "changes" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...found.classes.map(row)))) : null,
    nothing ? el("p", { class: "soft" }, "Nothing has changed: no new revision will come of it.") : null,
    el("footer", { class: "choices" }, el("button", { type: "button", class: "first", onclick: () => close(null) }, "Cancel"),
      el("button", { type: "button", class: "main", onclick: () => close(true) }, "Publish")));
}

// the run's lines as they come, then its end
async function follow(body) {
  const log = el("pre", { class: "log", tabindex: "0" });
  const words = el("p", { role: "status" }, "Publishing. The page goes on meanwhile; answers from now on are of the next revision.");
  body.replaceChildren(words, log);
  for (let patience = 5; ;) {
    await new Promise((done) => setTimeout(done, LOOK));
    let status;
    try {
      status = await json("/api/publish");
    } catch (error) {
      if (error.status || !patience--) return failed(body, error.message);
      continue; // a moment without the server
    }
    const down = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    log.textContent = status.lines.join("\n");
    if (down) log.scrollTop = log.scrollHeight;
    if (status.state === "failed") return failed(body, status.sentence, log);
    if (status.state !== "running") return published(body, status, log);
  }
}

function failed(body, sentence, log = null) {
  body.replaceChildren(...[el("p", { class: "held", role: "status" }, `Not published. ${sentence}`), again(body, "Try again"), log].filter(Boolean));
}

function published(body, status, log) {
  body.previousElementSibling?.remove(); // what was the newest before
  body.replaceChildren(el("p", { class: "published", role: "status" }, "✓ ", said(status.tag ?? "published")),
    el("p", { class: "soft" }, "It never changes. The page holds the state before it."),
    el("button", { type: "button", class: "main", onclick: () => location.reload() }, "Open the page anew"), log);
}
