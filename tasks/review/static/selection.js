// Which items would an answer touch? The flagged ones, a range that was drawn on the screen, or the one under the cursor.
//
// The trap this file is for: a range whose anchor was left behind. A range lives from its first step to the next
// plain move; it can only begin at an item that is on the screen, and scrolling its end away lets it go.

export class Selection {
  constructor() {
    this.flags = new Set(); // places
    this.clear();
  }

  clear() {
    this.flags.clear();
    this.anchor = this.head = null; // positions in the view
  }

  let_go() {
    this.anchor = this.head = null;
  }

  flag(n, on = !this.flags.has(n)) {
    if (on) this.flags.add(n);
    else this.flags.delete(n);
  }

  // a step with shift: from where the cursor was, if that is on the screen, else from the new place alone
  reach(from, to, onScreen) {
    if (this.anchor === null || this.head !== from) this.anchor = onScreen(from) ? from : to;
    this.head = to;
  }

  // positions [first, last] of the range, or null
  get range() {
    return this.anchor === null ? null : [Math.min(this.anchor, this.head), Math.max(this.anchor, this.head)];
  }

  holds(position) {
    const range = this.range;
    return range !== null && position >= range[0] && position <= range[1];
  }

  // places an answer touches, in the order of the view. For "right", a range means the rest: what is flagged in it, and
  // what I answered already, stays as it is.
  touched(order, cursor, action, answered) {
    const range = this.range;
    if (range) {
      const within = Array.from(order.subarray(range[0], range[1] + 1));
      if (action === "keep") return within.filter((n) => !this.flags.has(n) && !answered(n));
      const inside = new Set(within);
      return [...within, ...[...this.flags].filter((n) => !inside.has(n))];
    }
    if (this.flags.size) return [...this.flags];
    return order.length ? [order[cursor]] : [];
  }
}
