// Which of the pages is shown: today's plan, the grid, sign-off, or the summary?

import * as ask from "./dialogs.js";
import { by, el } from "./dom.js";
import { everything, plan } from "./plan.js";
import { Room } from "./room.js";
import { json, places, query } from "./wire.js";

const ALL = ["plan", "work", "wait", "signoff", "summary"];

export class Pages extends Room {
  at = "wait";

  async home() {
    history.replaceState(null, "", location.pathname);
    this.review.views.left = [];
    try {
      const told = await json(query("/api/plan", { v: this.catalogue.version }));
      plan(by("plan"), told, this.catalogue, { begin: (slice) => this.review.views.show(slice, "suspicion"), all: () => this.review.views.show({}, "suspicion") });
    } catch (error) {
      const again = el("button", { type: "button", class: "main", onclick: () => this.home() }, "Try again");
      by("plan").replaceChildren(el("h1", {}, "Today"), el("section", {}, el("p", { class: "held" }, `The plan could not be read. ${error.message}`), again,
        " ", el("button", { type: "button", onclick: () => this.review.views.show({}, "suspicion") }, everything(this.catalogue.n))));
      if (error.status === 409) this.review.saving.stale();
    }
    this.turn("plan");
    by("plan").querySelector("button")?.focus();
  }

  turn(name) {
    for (const one of ALL) by(one).hidden = one !== name;
    document.body.dataset.page = name;
    this.at = name;
  }

  async signoff() {
    history.replaceState(null, "", location.pathname);
    this.turn("signoff");
    try {
      const { signoff } = await import("./signoff.js");
      await signoff(by("signoff"), this.catalogue, this.me, {
        approve: (n, op) => Boolean(this.answering.give([n], "approve", { of: op })),
        back: (n, op) => this.review.verdicts.noted([n], "return", "Return it: why?", { of: op }),
        resolve: (n, sides) => this.review.verdicts.resolve(n, sides),
        reply: (n, op) => this.review.verdicts.noted([n], "answer", "Answer the question", { of: op }),
        look: (n) => ask.picture(this.catalogue.given(n) ?? "The item", places("/api/asset", this.catalogue.version, [n])),
      });
    } catch (error) {
      by("signoff").replaceChildren(el("h1", {}, "Sign-off"), el("section", {}, el("p", { class: "held" }, `It could not be read. ${error.message}`)));
      if (error.status === 409) this.review.saving.stale();
    }
  }

  async summary() {
    history.replaceState(null, "", location.pathname);
    this.turn("summary");
    try {
      const { summary } = await import("./summary.js");
      await summary(by("summary"), this.catalogue, this.answering.tally, {
        begin: (slice) => this.review.views.show(slice, "suspicion"),
        signoff: () => this.signoff(),
      });
    } catch (error) {
      by("summary").replaceChildren(el("h1", {}, "Summary"), el("section", {}, el("p", { class: "held" }, `It could not be read. ${error.message}`)));
      if (error.status === 409) this.review.saving.stale();
    }
  }
}
