// What do a key and a click do? Each command is found in one table, and acts on what is under the hand.

import * as ask from "./dialogs.js";
import { tell } from "./dom.js";
import { command, moved } from "./keys.js";
import { Room } from "./room.js";
import * as settings from "./settings.js";

const ANYWHERE = new Set(["help", "guideline", "undo", "back", "next", "previous", "panel", "larger", "smaller"]);
const REPEATS = new Set(["move", "undo", "next", "previous"]);

export class Hands extends Room {
  letters = settings.get("letters", true); // single keys act at once

  pressed(event) {
    if (ask.isOpen() || event.defaultPrevented || event.isComposing) return;
    const on = event.target instanceof Element ? event.target : document.body;
    if (on.closest("input:not([type=checkbox]), textarea, select")) return;
    if (on.closest("button, a, input, label") && (event.key === "Enter" || event.key === " ")) return;
    const found = command(event, this.letters);
    if (!found) return;
    const [name, argument] = found;
    if (event.repeat && !REPEATS.has(name)) return event.preventDefault(); // a key held down answers once
    if (this.review.pages.at !== "work" && !["help", "guideline"].includes(name)) return;
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
    this.review.selected();
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
    this.review.selected();
  }

  paint(ns, on) {
    for (const n of ns) this.selection.flag(n, on);
    this.selection.let_go();
    this.grid.repaint();
    this.review.selected();
  }

  act(name, argument) {
    const { grid, selection } = this;
    const plain = {
      help: () => ask.help(this.letters, (on) => settings.set("letters", (this.letters = on))),
      guideline: () => this.review.looking.guideline(),
      undo: () => this.review.verdicts.undo(),
      back: () => this.review.views.back(),
      next: () => this.review.slices.step(1),
      previous: () => this.review.slices.step(-1),
      larger: () => this.review.looking.size(1),
      smaller: () => this.review.looking.size(-1),
      panel: () => this.review.looking.toggle(),
    }[name];
    if (plain) return plain();
    if (!grid.order.length) return undefined;
    if (!this.atHand(["flag", "similar", "question", "pattern", "open"].includes(name))) return undefined;
    const n = grid.order[grid.cursor];
    return {
      flag: () => {
        selection.flag(n);
        grid.repaint();
        this.review.selected();
      },
      keep: () => this.review.verdicts.give("keep"),
      label: () => this.review.verdicts.label(argument),
      search: () => this.review.verdicts.search(),
      unsure: () => this.review.verdicts.give("unsure"),
      remove: () => this.review.verdicts.give("remove"),
      ambiguous: () => this.review.verdicts.ambiguous(),
      similar: () => this.review.views.alike(n),
      question: () => this.review.verdicts.noted([n], "question", "Ask about this item"),
      pattern: () => this.review.verdicts.pattern(),
      open: () => this.review.looking.open(),
    }[name]?.();
  }

  // an answer never goes to what is not on the screen: the cursor, and a range's end, must be there
  atHand(alone) {
    const { grid, selection } = this;
    const end = alone ? grid.cursor : selection.range ? selection.head : selection.flags.size ? null : grid.cursor;
    if (end === null || grid.isOnScreen(end)) return true;
    selection.let_go();
    grid.to(grid.cursor);
    this.review.selected();
    tell("The cursor was not on the screen. It is now; nothing was answered.");
    return false;
  }
}
