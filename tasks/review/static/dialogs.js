// What does the page ask? One dialog at a time, each a promise: the answer, or null when it was left with Escape.

import { by, el, many, named, number, said } from "./dom.js";
import { KEYS } from "./keys.js";
import { crisp } from "./panel.js";

export const REMOVED = Symbol("the item is removed");
const SHOWN = 200; // of a thousand classes; the search narrows them

export function ask(title, body, { wide = false, start } = {}) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    const close = (value) => {
      box.close();
      box.remove();
      if (before instanceof HTMLElement && document.contains(before)) before.focus({ preventScroll: true });
      resolve(value);
    };
    const heading = el("h2", { id: "asked" }, title);
    const shut = el("button", { type: "button", class: "shut", "aria-label": "Close", onclick: () => close(null) }, "×");
    const box = el("dialog", { class: wide ? "wide" : "", "aria-labelledby": "asked" }, el("header", {}, heading, shut), body(close));
    box.addEventListener("cancel", (event) => {
      event.preventDefault();
      close(null);
    });
    box.addEventListener("click", (event) => event.target === box && close(null));
    by("dialogs").append(box);
    box.showModal();
    (start ? box.querySelector(start) : box.querySelector("input, textarea, .first"))?.focus();
  });
}

export const isOpen = () => by("dialogs").childElementCount > 0;

// who: those that want it gone
const remover = (close, who) => el("button", { type: "button", onclick: () => close(REMOVED) }, who.length ? `Remove the item (${who.join(", ")})` : "Remove the item");

// rows: [[value, count]], where a count is a number, words, or null; several: the values come as a list; pinned: {has(value), toggle(value)}
export function pick(title, rows, { several = false, chosen = [], hint = "", pinned = null, removal = null } = {}) {
  return ask(title, (close) => {
    const picked = new Set(chosen);
    const list = el("ul", { role: "listbox", id: "choices", "aria-multiselectable": several, "aria-label": title });
    const note = el("p", { class: "soft note" });
    let found = [];
    let at = 0;
    const input = el("input", { type: "search", role: "combobox", "aria-controls": "choices", "aria-expanded": "true",
      "aria-autocomplete": "list", "aria-label": "Search", placeholder: "Search", autocomplete: "off", spellcheck: "false" });
    const take = (value) => {
      if (!several) return close(value);
      if (!picked.delete(value)) picked.add(value);
      draw();
    };
    const draw = () => {
      const wanted = input.value.trim().toLowerCase();
      const fits = rows.filter(([value]) => value.toLowerCase().includes(wanted));
      const rankOf = ([value]) => (value.toLowerCase() === wanted ? 0 : value.toLowerCase().startsWith(wanted) ? 1 : 2);
      found = wanted ? fits.sort((a, b) => rankOf(a) - rankOf(b)) : fits;
      at = Math.max(0, Math.min(at, Math.min(found.length, SHOWN) - 1));
      list.replaceChildren(...found.slice(0, SHOWN).map(([value, count], k) => {
        const row = el("li", { role: "option", id: `choice-${k}`, class: k === at ? "at" : "", onclick: () => take(value),
          "aria-selected": several ? picked.has(value) : k === at },
        several ? el("i", { class: "tick", "aria-hidden": "true" }, picked.has(value) ? "✓" : "") : null,
        named(value), count === null ? null : el("span", { class: "count" }, typeof count === "number" ? number(count) : said(count)));
        if (pinned) {
          const on = pinned.has(value);
          row.append(el("button", { type: "button", class: on ? "pin on" : "pin", tabindex: "-1", "aria-pressed": on,
            title: on ? "Take it off its key" : "Pin it to a key",
            onclick: (event) => { event.stopPropagation(); pinned.toggle(value); draw(); } }, on ? `key ${pinned.has(value)}` : "pin"));
        }
        return row;
      }));
      const more = found.length - SHOWN;
      note.textContent = found.length === 0 ? "Nothing has that name." : more > 0 ? `${many(more, "more", "more")}: type to narrow them.` : hint;
      input.setAttribute("aria-activedescendant", found.length ? `choice-${at}` : "");
      list.children[at]?.scrollIntoView({ block: "nearest" });
    };
    input.addEventListener("input", () => { at = 0; draw(); });
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
      if (step) {
        event.preventDefault();
        at += step;
        draw();
      } else if (event.key === "Enter") {
        event.preventDefault();
        if (several && (event.ctrlKey || event.metaKey)) close([...picked]);
        else if (found[at]) take(found[at][0]);
      }
    });
    const save = several ? el("footer", {}, el("span", { class: "soft" }, "Enter ticks, Ctrl+Enter saves"),
      el("button", { type: "button", class: "main", onclick: () => close([...picked]) }, "Save")) : removal ? el("footer", { class: "choices" }, remover(close, removal)) : null;
    draw();
    return el("div", { class: "picker" }, input, list, note, save);
  });
}

// a few words: a question, a pattern, a corrected text; drafts: [[text, whose, its element]] to take; removal: as above
export function write(title, { text = "", hint = "", save = "Save", drafts = [], removal = null } = {}) {
  return ask(title, (close) => {
    const area = el("textarea", { rows: "4", "aria-label": title, maxlength: "1900", dir: "auto" });
    area.value = text;
    const one = (text) => text.replace(/\r\n?/g, "\n"); // as a text area gives it back
    const taken = () => drafts.find(([draft]) => one(draft) === area.value)?.[0]; // with the line ends that it has
    const send = () => (area.value.trim() ? close(taken() ?? area.value.trim()) : area.focus());
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
    });
    const take = (draft) => { area.value = draft; area.focus(); };
    const begin = drafts.length ? el("ul", { class: "drafts" }, ...drafts.map(([draft, whose, shown]) => el("li", {}, el("b", {}, said(whose)),
      shown, el("button", { type: "button", "aria-label": `Take the text of ${whose}`, onclick: () => take(draft) }, "Take it")))) : null;
    return el("div", {}, hint ? el("p", { class: "soft" }, hint) : null, begin, area, el("footer", {},
      el("span", { class: "soft" }, "Ctrl+Enter saves"), removal ? remover(close, removal) : null, el("button", { type: "button", class: "main", onclick: send }, save)));
  });
}

// choices: [[value, words]]; the first has the focus
export const choose = (title, sentence, choices) =>
  ask(title, (close) => el("div", {}, el("p", {}, sentence), el("footer", { class: "choices" },
    ...choices.map(([value, words], k) =>
      el("button", { type: "button", class: k === 0 ? "first" : k === choices.length - 1 ? "main" : "", onclick: () => close(value) }, words)))));

export function help(letters, setLetters) {
  return ask("Keys", () => {
    const box = el("input", { type: "checkbox", id: "letters" });
    box.checked = letters;
    box.addEventListener("change", () => setLetters(box.checked));
    return el("div", {}, el("div", { class: "keys" }, ...KEYS.map(([title, rows]) =>
      el("section", {}, el("h3", {}, title), el("dl", {}, ...rows.flatMap(([key, what]) =>
        [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)]))))),
    el("label", { class: "switch" }, box, " Single keys act at once (off: hold Alt with letters, numbers and signs)"));
  }, { wide: true, start: ".shut" });
}

// Markdown enough for a guideline: headings, lists, paragraphs, bold and code; every word a text node
export function guideline(markdown, version) {
  const inline = (line) => line.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part) =>
    part.startsWith("**") && part.length > 4 ? el("b", {}, part.slice(2, -2))
      : part.startsWith("`") && part.length > 2 ? el("code", {}, part.slice(1, -1)) : part);
  const body = el("div", { class: "prose", dir: "auto", tabindex: "0" });
  let list = null;
  let paragraph = null;
  for (const line of markdown.split(/\r?\n/)) {
    const heading = /^(#{1,4})\s+(.*)/.exec(line);
    const bullet = /^\s*(?:[-*]|\d+\.)\s+(.*)/.exec(line);
    if (bullet) {
      list ??= body.appendChild(el("ul"));
      list.append(el("li", {}, ...inline(bullet[1])));
      paragraph = null;
    } else if (heading) {
      body.append(el(`h${Math.min(6, heading[1].length + 2)}`, {}, ...inline(heading[2])));
      list = paragraph = null;
    } else if (!line.trim()) list = paragraph = null;
    else {
      list = null;
      paragraph ??= body.appendChild(el("p"));
      paragraph.append(...inline(line), " ");
    }
  }
  return ask(version ? `Guideline · version ${version}` : "Guideline", () => body, { wide: true, start: ".prose" });
}

export const picture = (title, address) =>
  ask(title, () => el("img", { class: "whole", src: address, alt: title, onload: crisp }), { wide: true, start: ".shut" });

export const letter = (title, words) =>
  ask(title, () => el("pre", { class: "letter", dir: "auto", tabindex: "0" }, words), { wide: true, start: ".letter" });

// rows: [[words, reason]]; act: [[words, function]]
export const listed = (title, sentence, rows, acts) =>
  ask(title, (close) => el("div", {}, el("p", {}, sentence), el("ul", { class: "reasons" },
    ...rows.map(([what, reason]) => el("li", {}, said(what), el("span", { class: "soft" }, reason)))),
  el("footer", { class: "choices" }, ...acts.map(([words, act]) =>
    el("button", { type: "button", onclick: () => { close(null); act(); } }, words)))), { start: ".shut" });
