// What does a key mean? One table, which the page obeys and the help shows.

export const KEYS = [
  ["Move", [["←↑↓→ or h j k l", "move"], ["PgUp PgDn", "a screen"], ["Home End", "first, last"],
    ["Shift + a move", "draw a range"], ["n N", "next, previous group"]]],
  ["Answer", [["Enter", "the label is right"], ["1", "the suggested label"], ["2 to 9", "the label on that key"],
    ["/", "another label"], ["0", "not sure"], ["a", "several labels are right"], ["Delete or d", "remove from the dataset"],
    ["z or Ctrl+Z", "undo"]]],
  ["Many at once", [["Space or x", "flag"], ["Shift+PgDn, then Enter", "the rest of this screen is right"],
    ["f", "similar to this one; Esc comes back"], ["Esc", "let go of flags and range"]]],
  ["Ask and look", [["q", "ask a question"], ["p", "a pattern: tell the guideline, not 300 clicks"], ["g", "the guideline"],
    ["i", "evidence, on or off"], ["o", "the whole item"], ["+ and -", "larger, smaller"], ["?", "these keys"]]],
  ["Mouse", [["click", "go there"], ["drag", "paint flags"], ["Ctrl+click", "flag one"], ["Shift+click", "a range"],
    ["double click", "the whole item"]]],
];

const MOVES = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", PageUp: "pageup",
  PageDown: "pagedown", Home: "home", End: "end" };
const LETTERS = { h: "left", l: "right", k: "up", j: "down" };
const COMMANDS = { x: "flag", " ": "flag", 0: "unsure", f: "similar", q: "question", g: "guideline", p: "pattern",
  z: "undo", "/": "search", "?": "help", "+": "larger", "=": "larger", "-": "smaller", n: "next", a: "ambiguous",
  d: "remove", i: "panel", o: "open" };

// [command, argument] or null; with letters off, a single character counts only together with Alt
export function command(event, letters) {
  const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
  if ((ctrlKey || metaKey) && key.toLowerCase() === "z" && !shiftKey) return ["undo"];
  if (ctrlKey || metaKey) return null;
  if (key in MOVES) return altKey ? null : ["move", MOVES[key]];
  if (key === "Enter") return ["keep"];
  if (key === "Escape") return ["back"];
  if (key === "Delete") return ["remove"];
  if (key.length !== 1 || (letters ? altKey : !altKey && key !== " ")) return null;
  if (key >= "1" && key <= "9") return ["label", Number(key)];
  if (key === "N") return ["previous"];
  const small = key.toLowerCase();
  if (small in LETTERS) return ["move", LETTERS[small]];
  return small in COMMANDS ? [COMMANDS[small]] : null;
}

// the position a move leads to
export function moved(way, at, { across, fits, last }) {
  const to = { left: at - 1, right: at + 1, up: at - across, down: at + across, home: 0, end: last,
    pageup: at - across * fits, pagedown: at + across * fits }[way];
  if (way === "up" && to < 0) return at;
  if (way === "down" && to > last) return Math.floor(at / across) < Math.floor(last / across) ? last : at;
  return Math.max(0, Math.min(last, to));
}
