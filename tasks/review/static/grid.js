// What is on the screen? Virtual rows over the whole order: as many elements as fit, moved and filled again.

import { STATES } from "./catalogue.js";
import { el, percent, said } from "./dom.js";

const GAP = 8;
const WORDS = 44; // pixels of caption under a tile
const CARD = 126; // pixels of a card
const NARROW = 148; // of one on a phone, where the words take more lines
const DOUBT = 0.05; // p_wrong from which a tile names the suggestion
const SPARE = 1; // rows beyond each edge
const MARKS = ["", "✓", "?", "≠", "✕", "…", "↩"]; // by state: shape as well as colour
export const SIZES = [64, 80, 96, 120, 152, 192];

export class Grid {
  // heard: {moved(position, event), painted(positions, on), settled()}
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
    this.card = sheets.preview === "card";
    root.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.laid && this.measure() && this.lay()).observe(root);
    this.listen();
  }

  get last() {
    return this.order.length - 1;
  }

  show(order, cursor = 0, top = 0) {
    this.order = order;
    for (const row of this.rows) row.line = -1;
    this.sheets.open(order);
    this.cursor = Math.max(0, Math.min(cursor, this.last));
    this.lay(top);
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

  // measures, and makes the rows anew
  lay(top) {
    this.measure();
    const inside = this.width - 2 * GAP;
    const { height } = this;
    const keep = top ?? (this.across ? Math.floor(this.root.scrollTop / this.step) * this.across : 0);
    const wish = this.card ? Math.min(inside, 520) : this.wish;
    this.across = Math.max(1, Math.floor((inside + GAP) / (wish + GAP)));
    this.cell = Math.floor((inside + GAP) / this.across) - GAP;
    this.step = (this.card ? (inside < 600 ? NARROW : CARD) : this.cell + WORDS) + GAP;
    this.lines = Math.max(1, Math.ceil(this.order.length / this.across));
    this.fits = Math.max(1, Math.floor(height / this.step));
    this.laid = true;
    this.root.setAttribute("aria-rowcount", this.order.length ? this.lines : 0);
    this.root.setAttribute("aria-colcount", this.across);
    this.root.classList.toggle("cards", this.card);
    this.tall.style.height = `${this.lines * this.step + GAP}px`;
    const count = Math.min(this.lines, Math.ceil(height / this.step) + 1 + 2 * SPARE);
    const like = `${count} ${this.across} ${this.cell}`;
    if (like !== this.like) {
      this.rows = Array.from({ length: count }, () => this.made());
      this.tall.replaceChildren(...this.rows.map((row) => row.node));
    }
    this.like = like;
    const wanted = top === undefined ? Math.floor(keep / this.across) * this.step : top;
    if (this.top !== wanted) this.root.scrollTop = wanted;
    this.top = wanted ? this.root.scrollTop : 0;
    this.draw();
  }

  made() {
    const cells = Array.from({ length: this.across }, (_, column) => {
      const pic = el("div", { class: "pic" });
      const words = this.card ? el("div", { class: "words" }) : null;
      const mark = el("span", { class: "mark", "aria-hidden": "true" });
      const node = el("div", { role: "gridcell", class: "cell", tabindex: "-1", "aria-colindex": column + 1 }, pic, words ?? [said(""), said("")]);
      node.style.width = `${this.cell}px`;
      if (!this.card) pic.style.height = `${this.cell}px`;
      return { node, pic, words, mark, lines: words ? [] : [...node.querySelectorAll("bdi")], n: -1 };
    });
    const node = el("div", { role: "row", class: "row" }, ...cells.map((cell) => cell.node));
    node.style.height = `${this.step - GAP}px`;
    return { node, cells, line: -1 };
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

  draw() {
    const { scrollTop } = this.root;
    if (scrollTop !== this.top) this.way = scrollTop > this.top ? 1 : -1;
    this.top = scrollTop;
    const from = Math.max(0, Math.min(Math.floor(scrollTop / this.step) - SPARE, this.lines - this.rows.length));
    for (let line = from; line < from + this.rows.length; line++) {
      const row = this.rows[line % this.rows.length];
      if (row.line !== line) this.fill(row, line);
    }
    if (this.order.length) {
      const seen = this.root.clientHeight / this.step;
      const first = Math.floor(scrollTop / this.step) * this.across;
      this.sheets.want(first, Math.min(this.last, first + Math.ceil(seen + 1) * this.across - 1), this.way);
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
      if (cell.n >= 0) this.dress(cell);
    });
  }

  dress(cell) {
    const { n, position } = cell;
    const { catalogue, selection } = this;
    const state = catalogue.state[n];
    const answer = this.told.get(n);
    const sheet = this.sheets.of(position);
    if (this.card || sheet !== cell.drawn) this.arrive(cell);
    const now = answer?.label ?? (answer?.labels ?? []).join(" | ");
    if (!this.card) this.caption(cell, now);
    const flagged = selection.flags.has(n);
    const within = selection.holds(position);
    const who = this.held.get(n);
    const kind = cell.node.classList;
    kind.toggle("flagged", flagged);
    kind.toggle("within", within);
    kind.toggle("cursor", position === this.cursor);
    kind.toggle("held", who !== undefined);
    kind.toggle("mine", catalogue.mine[n] === 1);
    cell.node.dataset.state = state;
    cell.mark.textContent = flagged ? "⚑" : MARKS[state];
    if (!flagged && state === 0) cell.mark.remove();
    else if (!cell.mark.isConnected) cell.node.append(cell.mark);
    cell.node.tabIndex = position === this.cursor ? 0 : -1;
    cell.node.setAttribute("aria-selected", flagged || within);
    cell.node.setAttribute("aria-label", this.phrase(n, position, flagged, now, who));
  }

  // two lines: the label, and what it has become or might be; the fewer elements a tile has, the faster it moves
  caption({ n, pic, lines: [first, second] }, now) {
    const [given, hint] = [this.catalogue.given(n), this.catalogue.suggested(n)];
    const changed = now && now !== given;
    const odd = hint !== null && hint !== given && this.catalogue.wrong(n) >= DOUBT;
    first.className = changed ? "said was" : "said is";
    first.textContent = first.title = given ?? "no label";
    second.className = changed ? "said to" : "said hint";
    second.textContent = second.title = changed ? `→ ${now}` : odd ? `${hint}?` : "";
    second.hidden = !changed && !odd;
    pic.dataset.p = odd ? percent(this.catalogue.wrong(n)) : "";
  }

  phrase(n, position, flagged, now, who) {
    const { catalogue } = this;
    const hint = catalogue.suggested(n);
    const parts = [`${position + 1} of ${this.order.length}`, this.card ? "" : (catalogue.given(n) ?? "no label")];
    if (hint !== null && hint !== catalogue.given(n)) parts.push(`suggested ${hint}`);
    parts.push(`${percent(catalogue.wrong(n))} suspicious`);
    if (catalogue.state[n]) parts.push(STATES[catalogue.state[n]]);
    if (now) parts.push(`now ${now}`);
    if (flagged) parts.push("flagged");
    if (who) parts.push(`on ${who}'s screen`);
    return parts.filter(Boolean).join(", ");
  }

  picture(cell, sheet) {
    const { style } = cell.pic;
    if (!sheet) {
      style.backgroundImage = "none";
      return;
    }
    const at = cell.position % this.sheets.perSheet;
    style.backgroundSize = `${sheet.wide * this.cell}px auto`;
    style.backgroundPosition = `${-(at % sheet.across) * this.cell}px ${-Math.floor(at / sheet.across) * this.cell}px`;
    style.backgroundImage = `url("${sheet.address}")`;
  }

  letter(cell, card) {
    if (!card) {
      cell.pic.replaceChildren();
      cell.words.replaceChildren();
      return;
    }
    const given = card.label ?? this.catalogue.given(card.n) ?? "";
    const hint = card.suggestion ?? this.catalogue.suggested(card.n);
    const now = this.told.get(card.n)?.label;
    const odd = hint !== null && hint !== undefined && hint !== given;
    cell.pic.replaceChildren(said(card.text, "text"), el("span", { class: "p" }, percent(this.catalogue.wrong(card.n))));
    const second = now && now !== given ? said(`→ ${now}`, "to") : odd ? [el("small", {}, "suggested"), said(hint, "hint")] : [];
    cell.words.replaceChildren(said(given, now && now !== given ? "was" : "is"), ...[second].flat());
  }

  cellOf(position) {
    const row = this.rows[Math.floor(position / this.across) % this.rows.length];
    const cell = row?.cells[position % this.across];
    return cell?.position === position && cell.n >= 0 ? cell : null;
  }

  // what changed on the screen, again
  repaint() {
    for (const row of this.rows) for (const cell of row.cells) if (cell.n >= 0) this.dress(cell);
  }

  came(first, last) {
    for (const row of this.rows) {
      for (const cell of row.cells) if (cell.n >= 0 && cell.position >= first && cell.position < last) this.arrive(cell);
    }
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.settle(), 120);
  }

  arrive(cell) {
    cell.drawn = this.sheets.of(cell.position);
    if (this.card) this.letter(cell, cell.drawn?.cards.get(cell.n));
    else this.picture(cell, cell.drawn);
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
    else for (const cell of [this.cellOf(before), this.cellOf(this.cursor)]) if (cell) this.dress(cell);
    this.focus();
  }

  focus() {
    (this.cellOf(this.cursor)?.node ?? this.root).focus({ preventScroll: true });
  }

  // click, shift-click, ctrl-click, and drag to paint
  listen() {
    let drag = null;
    const under = (event) => {
      const node = document.elementFromPoint(event.clientX, event.clientY)?.closest(".cell");
      return node && this.root.contains(node) ? this.rows.flatMap((row) => row.cells).find((cell) => cell.node === node) : null;
    };
    this.root.addEventListener("pointerdown", (event) => {
      const cell = under(event);
      if (!cell || event.button !== 0) return;
      if (event.pointerType !== "touch") event.preventDefault(); // a drag paints; it selects no words
      const plain = !event.shiftKey && !event.ctrlKey && !event.metaKey && event.pointerType !== "touch";
      drag = plain ? { from: cell, on: !this.selection.flags.has(cell.n), moved: false } : null;
      if (event.pointerType !== "touch") this.heard.moved(cell.position, event);
    });
    this.root.addEventListener("pointermove", (event) => {
      if (!drag || !(event.buttons & 1)) return;
      const cell = under(event);
      if (!cell || (cell === drag.from && !drag.moved)) return;
      if (!drag.moved) this.heard.painted([drag.from.n], drag.on);
      drag.moved = true;
      this.heard.painted([cell.n], drag.on);
    });
    window.addEventListener("pointerup", () => (drag = null));
    this.root.addEventListener("click", (event) => {
      if (event.pointerType === "touch") {
        const cell = under(event);
        if (cell) this.heard.moved(cell.position, event);
      }
    });
    this.root.addEventListener("dblclick", (event) => under(event) && this.heard.opened());
  }
}

