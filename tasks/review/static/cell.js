// What does one cell of the grid show of its item? Its state by badge and shape as well as colour, and all of it in words.

import { STATES } from "./catalogue.js";
import { el, percent } from "./dom.js";

const MARKS = ["", "✓", "?", "≠", "✕", "…", "↩"]; // by state

// {node, pic, mark, position, n, ..}: an element that is filled again and again
export function made(preview, column, pixels) {
  const parts = preview.parts(pixels);
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const node = el("div", { role: "gridcell", class: "cell", tabindex: "-1", "aria-colindex": column + 1 }, ...parts.nodes);
  node.style.width = `${pixels}px`;
  return { ...parts, node, mark, n: -1 };
}

// what the answer given on this page comes to, in words
const become = (answer) => answer?.label ?? (answer?.labels ?? []).join(" | ");

// its picture or words are here, or are gone
export function arrive(grid, cell) {
  const { catalogue, preview, sheets, told } = grid;
  cell.drawn = sheets.of(cell.position);
  const at = cell.position % sheets.perSheet;
  preview.arrive(cell, { sheet: cell.drawn, at, cell: grid.cell }, catalogue, told.get(cell.n)?.label);
}

export function dress(grid, cell) {
  const { n, node, mark, position } = cell;
  const { catalogue, preview, selection } = grid;
  const state = catalogue.state[n];
  if (preview.cards || grid.sheets.of(position) !== cell.drawn) arrive(grid, cell);
  const now = become(grid.told.get(n));
  preview.caption(cell, catalogue, now);
  const flagged = selection.flags.has(n);
  const within = selection.holds(position);
  const who = grid.held.get(n);
  const kind = node.classList;
  kind.toggle("flagged", flagged);
  kind.toggle("within", within);
  kind.toggle("cursor", position === grid.cursor);
  kind.toggle("held", who !== undefined);
  kind.toggle("mine", catalogue.mine[n] === 1);
  node.dataset.state = state;
  mark.textContent = flagged ? "⚑" : MARKS[state];
  if (!flagged && state === 0) mark.remove();
  else if (!mark.isConnected) node.append(mark);
  node.tabIndex = position === grid.cursor ? 0 : -1;
  node.setAttribute("aria-selected", flagged || within);
  node.setAttribute("aria-label", phrase(grid, n, position, flagged, now, who));
}

function phrase({ catalogue, order, preview }, n, position, flagged, now, who) {
  const hint = catalogue.suggested(n);
  const parts = [`${position + 1} of ${order.length}`, preview.cards ? "" : (catalogue.given(n) ?? "no label")];
  if (hint !== null && hint !== catalogue.given(n)) parts.push(`suggested ${hint}`);
  parts.push(`${percent(catalogue.wrong(n))} suspicious`);
  if (catalogue.state[n]) parts.push(STATES[catalogue.state[n]]);
  if (now) parts.push(`now ${now}`);
  if (flagged) parts.push("flagged");
  if (who) parts.push(`on ${who}'s screen`);
  return parts.filter(Boolean).join(", ");
}
