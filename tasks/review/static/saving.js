// Is it saved? What the outbox and the server say, in one button, one notice, and a list of what was refused.

import * as ask from "./dialogs.js";
import { by, el, many, number, tell } from "./dom.js";
import { Room } from "./room.js";

export class Saving extends Room {
  refusals = [];

  show() {
    const { waiting, problem } = this.outbox;
    const refused = this.refusals.length;
    const words = waiting ? `waiting (${number(waiting)})` : "saved";
    by("saved").textContent = refused ? `${words} · refused (${number(refused)})` : words;
    by("saved").dataset.state = refused ? "refused" : waiting ? "waiting" : "saved";
    by("saved").title = problem || "Every answer is on the server's disk.";
    by("saved").dataset.waiting = waiting;
  }

  tell() {
    const { waiting, problem, batches } = this.outbox;
    const stale = batches.filter((batch) => batch.stale).reduce((sum, batch) => sum + batch.answers.length, 0);
    const words = waiting ? `${many(waiting, "answer is", "answers are")} in this browser and not on the server yet. ${problem}` : "Every answer that you gave is on the server's disk.";
    const old = stale ? ` ${many(stale, "was", "were")} made on an older state of the dataset, which the server no longer takes.` : "";
    const acts = waiting ? [["Send now", () => { for (const batch of batches) batch.stale = false; this.outbox.now(); }]] : [];
    if (this.refusals.length) acts.push(["I have read this", () => { this.refusals = []; this.show(); }]);
    ask.listed("Saved?", words + old, this.refusals, acts);
  }

  notice(sentence, act) {
    by("notice").replaceChildren(sentence, act ? el("button", { type: "button", onclick: act[1] }, act[0]) : "");
    by("notice").hidden = !sentence;
  }

  saved(reply) {
    this.notice("");
    if (reply.states) this.answering.heard(reply.states);
    if (this.review.panel.n >= 0 && this.review.pages.at === "work") this.review.looking.evidence();
  }

  refused(rows) {
    this.refusals.push(...this.answering.refused(rows));
    tell(`${many(rows.length, "answer was", "answers were")} refused: ${rows[0].reason}`);
    this.show();
  }

  stale() {
    this.notice("The dataset has changed since this page was opened.", ["Open it again", () => location.reload()]);
  }

  missing(error) {
    if (error.status === 409) this.stale();
    else if (error.status === 401) this.notice("Your session has ended. Open the link that assay review prints again; nothing is lost.");
  }
}
