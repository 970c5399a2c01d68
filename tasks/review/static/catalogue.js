// What does the page know of every item? Typed arrays as they came, filtered and sorted here. An item is its place n.

export const NONE = 65535;
export const STATES = ["open", "decided", "unsure", "disputed", "removed", "waits for an answer", "returned"];
export const ORDERS = {
  suspicion: "most suspicious",
  similarity: "looks alike",
  loss: "model loss",
  newest: "newest",
};
const TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array };

// buffer: u32 length of a JSON header, the header, then the columns, each padded to 4 bytes
export function parse(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = 4 + 4 * Math.ceil(length / 4);
  const columns = {};
  for (const { name, type, offset } of header.columns) {
    columns[name] = new TYPES[type](buffer, start + offset, header.n);
  }
  return new Catalogue(header, columns);
}

export class Catalogue {
  constructor(header, columns) {
    Object.assign(this, { version: header.version, n: header.n, classes: header.classes, checks: header.checks });
    Object.assign(this, { groups: header.groups, tile: header.tile, perSheet: header.per_sheet, seq: header.seq });
    this.columns = columns;
    this.orders = { suspicion: columns.suspicion };
    this.state = columns.state;
    this.mine = columns.mine;
  }

  given = (n) => this.classes[this.columns.given[n]] ?? null;
  suggested = (n) => this.classes[this.columns.suggested[n]] ?? null;
  wrong = (n) => this.columns.p_wrong[n] / 65535;

  // the parts a slice can be made of: {kind: title}
  kinds() {
    const kinds = {};
    if (this.classes.length) Object.assign(kinds, { given: "given label", suggested: "suggested label" });
    if (this.checks.length) kinds.check = "check";
    kinds.state = "state";
    for (const name of Object.keys(this.groups)) kinds[`group:${name}`] = name.replace(/^meta_/, "");
    return kinds;
  }

  names(kind) {
    if (kind === "given" || kind === "suggested") return this.classes;
    if (kind === "state") return STATES;
    return kind === "check" ? this.checks : (this.groups[kind.slice(6)] ?? []);
  }

  // [(value, items)], those that have items, the most first
  counts(kind) {
    const names = this.names(kind);
    const tally = new Uint32Array(names.length);
    const column = this.columns[kind === "check" ? "checks" : kind];
    for (let n = 0; n < this.n; n++) {
      if (kind === "check") {
        for (let bit = 0; bit < names.length; bit++) tally[bit] += (column[n] >>> bit) & 1;
      } else if (column[n] < names.length) tally[column[n]]++;
    }
    const rows = names.map((name, k) => [name, tally[k]]).filter(([, count]) => count > 0);
    return rows.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  }

  // the places of a slice in the order of `all`, which are the catalogue's where nobody says
  // slice: {given: "cat", check: "noise_v2", "group:drop": "0001-a", queued: true, open: true} -> Uint32Array
  filter(slice, all = this.all()) {
    const tests = [];
    for (const [kind, value] of Object.entries(slice)) {
      if (kind === "queued") {
        if (value) tests.push([this.columns.rank, 0, "not"]);
      } else if (kind === "open") {
        if (value) tests.push([this.mine, 0, "is"]);
      } else if (kind === "check") {
        tests.push([this.columns.checks, this.checks.indexOf(value), "bit"]);
      } else {
        const k = value === null ? NONE : this.names(kind).indexOf(value);
        tests.push([this.columns[kind] ?? new Uint8Array(this.n), k, "is"]);
      }
    }
    if (!tests.length) return all;
    const found = new Uint32Array(this.n);
    let count = 0;
    for (let k = 0; k < this.n; k++) {
      const n = all[k];
      let fits = true;
      for (const [column, value, how] of tests) {
        if (how === "is") fits = column[n] === value;
        else if (how === "not") fits = column[n] !== value;
        else fits = value >= 0 && ((column[n] >>> value) & 1) === 1;
        if (!fits) break;
      }
      if (fits) found[count++] = n;
    }
    return found.slice(0, count);
  }

  all() {
    const places = new Uint32Array(this.n);
    for (let n = 0; n < this.n; n++) places[n] = n;
    return places;
  }

  // all places in the order of "suspicion", "similarity", "loss" or "newest"; fetched(order) asks for one not here yet
  async ordered(order, fetched) {
    if (order === "newest") return this.all().reverse();
    this.orders[order] ??= new Uint32Array(await fetched(order));
    return this.orders[order];
  }

  // the labels most often suggested among these places, for the keys 2-9
  likely(places, most) {
    const tally = new Uint32Array(this.classes.length);
    const { suggested } = this.columns;
    for (let at = 0; at < places.length; at++) if (suggested[places[at]] < tally.length) tally[suggested[places[at]]]++;
    const ks = this.classes.map((_, k) => k).filter((k) => tally[k] > 0);
    return ks.sort((a, b) => tally[b] - tally[a] || a - b).slice(0, most).map((k) => this.classes[k]);
  }
}
