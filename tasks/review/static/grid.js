// What is on the screen? Virtual rows over the whole order: as many elements as fit, moved and filled again.

import { arrive, dress, made } from "./cell.js";
import { el } from "./dom.js";
import { listen } from "./pointer.js";

const GAP = 8;
const SPARE = 1; // rows beyond each edge, made when the first pictures are there
export const SIZES = [64, 80, 96, 120, 152, 192];

export class Grid {
  // heard: {moved(position, event), painted(places, on), settled(), opened()}
  constructor(root, catalogue, sheets, selection, told, heard) {
    Object.assign(this, { root, catalogue, sheets, selection, told, heard });
    this.tall = el("div", { class: "tall", role: "presentation" });
    this.root.replaceChildren(this.tall);
    this.order = new Uint32Array(0);
    this.cursor = this.top = 0;
    this.way = 1;
    this.rows = [];
    this.seen = new Uint8Array(catalogue.n);
    this.held = new Map(); // n -> who has it on the screen
    this.preview = sheets.preview;
    root.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.laid && this.measure() && this.lay()).observe(root);
    listen(this, heard);
  }

  get last() {
    return this.order.length - 1;
  }

  // shown by the next lay(): what stands around the grid may speak of these before there is room for them
  take(order, cursor = 0) {
    this.order = order;
    for (const row of this.rows) row.line = -1;
    this.sheets.open(order);
    this.cursor = Math.max(0, Math.min(cursor, this.last));
  }

  // the sheet of the cursor, before there is room for it: the server makes it while the grid is laid out
  ask() {
    if (this.order.length) this.sheets.want(this.cursor, this.cursor, 1);
  }

  size(pixels) {
    this.wish = pixels;
    if (this.laid) this.lay();
  }

  // true where the room has changed
  measure() {
    const { clientWidth: width, clientHeight: height } = this.root;
    const changed = width !== this.width || height !== this.height;
    Object.assign(this, { width, height });
    return changed;
  }

  // measures, and makes the rows anew; the focus stays where it was, and so does the place unless one is asked for
  lay({ top, cursor = false } = {}) {
    const focused = this.root.contains(document.activeElement);
    this.measure();
    const inside = this.width - 2 * GAP;
    const { height } = this;
    const keep = this.across ? Math.floor(this.root.scrollTop / this.step) * this.across : 0;
    const wish = this.preview.width(inside, this.wish);
    this.across = Math.max(1, Math.floor((inside + GAP) / (wish + GAP)));
    this.cell = Math.floor((inside + GAP) / this.across) - GAP;
    this.step = this.preview.height(this.cell, inside, !this.catalogue.classes.length) + GAP;
    this.lines = Math.max(1, Math.ceil(this.order.length / this.across));
    this.fits = Math.max(1, Math.floor(height / this.step));
    this.laid = true;
    this.root.setAttribute("aria-rowcount", this.order.length ? this.lines : 0);
    this.root.setAttribute("aria-colcount", this.across);
    this.root.classList.toggle("cards", this.preview.cards);
    this.root.classList.toggle("pairs", !this.catalogue.classes.length);
    this.tall.style.height = `${this.lines * this.step + GAP}px`;
    const count = Math.ceil(height / this.step) + 1;
    this.most = Math.min(this.lines, count + 2 * SPARE);
    const like = `${this.most} ${this.across} ${this.cell}`;
    if (like !== this.like) {
      this.rows = Array.from({ length: Math.min(this.most, count) }, () => this.made());
      this.tall.replaceChildren(...this.rows.map((row) => row.node));
    }
    this.like = like;
    const wanted = top ?? (cursor ? this.reach(this.cursor) : Math.floor(keep / this.across) * this.step);
    if (this.top !== wanted) this.root.scrollTop = wanted;
    this.top = wanted ? this.root.scrollTop : 0;
    this.draw(this.top);
    if (focused && !this.root.contains(document.activeElement)) this.focus();
  }

  // how far down a position comes onto the screen
  reach(position) {
    const line = Math.floor(position / this.across);
    return line < this.fits ? 0 : (line + 1) * this.step + GAP - this.height;
  }

  made() {
    const cells = Array.from({ length: this.across }, (_, column) => made(this.preview, column, this.cell));
    const node = el("div", { role: "row", class: "row" }, ...cells.map((cell) => cell.node));
    node.style.height = `${this.step - GAP}px`;
    return { node, cells, line: -1 };
  }

  spare() {
    if (this.rows.length >= this.most) return;
    const inside = this.root.contains(document.activeElement);
    const more = Array.from({ length: this.most - this.rows.length }, () => this.made());
    this.rows.push(...more);
    this.tall.append(...more.map((row) => row.node));
    this.rows.forEach((row, k) => (row.line = row.line % this.rows.length === k ? row.line : -1)); // others move
    this.draw();
    if (inside) this.focus();
  }

  soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  // first and last position of which at least half is on the screen
  onScreen() {
    const { scrollTop, clientHeight } = this.root;
    const first = Math.ceil((scrollTop - GAP) / this.step - 0.5) * this.across;
    const last = (Math.floor((scrollTop + clientHeight - GAP) / this.step + 0.5)) * this.across - 1;
    return [Math.max(0, first), Math.min(this.last, last)];
  }

  isOnScreen = (position) => {
    const [first, last] = this.onScreen();
    return position >= first && position <= last;
  };

  // scrollTop is asked for only where it may have changed: the question costs a layout
  draw(scrollTop = this.root.scrollTop) {
    if (scrollTop !== this.top) this.way = scrollTop > this.top ? 1 : -1;
    this.top = scrollTop;
    const spare = this.rows.length < this.most ? 0 : SPARE;
    const from = Math.max(0, Math.min(Math.floor(scrollTop / this.step) - spare, this.lines - this.rows.length));
    for (let line = from; line < from + this.rows.length; line++) {
      const row = this.rows[line % this.rows.length];
      if (row.line !== line) this.fill(row, line);
    }
    if (this.order.length) {
      const first = Math.floor(scrollTop / this.step) * this.across;
      const beyond = Math.ceil((scrollTop + this.height) / this.step) * this.across;
      this.sheets.want(first, Math.min(this.last, beyond - 1), this.way);
    }
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.settle(), 120);
  }

  // what rested on the screen, with its picture, was seen: accepted apart from what rushed by
  settle() {
    const [first, last] = this.onScreen();
    for (let position = first; position <= last; position++) {
      if (this.sheets.of(position)) this.seen[this.order[position]] = 1;
    }
    this.heard.settled(first, last);
  }

  fill(row, line) {
    row.line = line;
    row.node.style.transform = `translate(${GAP}px, ${GAP + line * this.step}px)`;
    row.node.setAttribute("aria-rowindex", line + 1);
    row.cells.forEach((cell, column) => {
      const position = line * this.across + column;
      if (document.activeElement === cell.node) this.root.focus({ preventScroll: true }); // its item scrolls away
      cell.position = position;
      cell.n = position <= this.last ? this.order[position] : -1;
      cell.node.dataset.n = cell.n;
      cell.node.hidden = cell.n < 0;
      cell.drawn = null;
      if (cell.n >= 0) dress(this, cell);
    });
  }

  cellOf(position) {
    const row = this.rows[Math.floor(position / this.across) % this.rows.length];
    const cell = row?.cells[position % this.across];
    return cell?.position === position && cell.n >= 0 ? cell : null;
  }

  // what changed on the screen, again
  repaint() {
    for (const row of this.rows) for (const cell of row.cells) if (cell.n >= 0) dress(this, cell);
  }

  came(first, last) {
    for (const row of this.rows) {
      for (const cell of row.cells) if (cell.n >= 0 && cell.position >= first && cell.position < last) arrive(this, cell);
    }
    if (this.rows.length < this.most) requestAnimationFrame(() => setTimeout(() => this.spare())); // when what came is painted
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.settle(), 120);
  }

  // the cursor to a position, which comes onto the screen; focus follows
  to(position, several = true) {
    const before = this.cursor;
    this.cursor = Math.max(0, Math.min(position, this.last));
    const [first, last] = this.onScreen();
    const line = Math.floor(this.cursor / this.across);
    if (this.cursor < first || this.root.scrollTop > line * this.step + GAP) this.root.scrollTop = line * this.step;
    else if (this.cursor > last || (line + 1) * this.step > this.root.scrollTop + this.root.clientHeight) {
      this.root.scrollTop = (line + 1) * this.step + GAP - this.root.clientHeight;
    }
    this.draw();
    if (several) this.repaint();
    else for (const cell of [this.cellOf(before), this.cellOf(this.cursor)]) if (cell) dress(this, cell);
    this.focus();
  }

  focus() {
    (this.cellOf(this.cursor)?.node ?? this.root).focus({ preventScroll: true });
  }
}
