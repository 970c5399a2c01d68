// Which pictures come next? One sheet of 60 tiles a request, for the order on the screen: what is on it first,
// then two screens each way; what is no longer wanted is given up.

const AT_ONCE = 4; // of the browser's six connections: the answers need theirs
const KEPT = 48;

export class Sheets {
  constructor({ version, tile, perSheet }, preview, came, failed) {
    Object.assign(this, { version, tile, perSheet, preview, came, failed });
    this.loaded = new Map(); // page -> sheet, the least lately used first
    this.flying = new Map(); // page -> AbortController
    this.wanted = [];
    this.tries = 0;
  }

  open(order) {
    for (const flight of this.flying.values()) flight.abort();
    for (const sheet of this.loaded.values()) this.free(sheet);
    clearTimeout(this.timer);
    Object.assign(this, { order, loaded: new Map(), flying: new Map(), wanted: [], tries: 0 });
  }

  free(sheet) {
    if (sheet.address) URL.revokeObjectURL(sheet.address);
  }

  page = (position) => Math.floor(position / this.perSheet);
  of = (position) => this.loaded.get(this.page(position));

  // positions on the screen, and which way it moves (1 down, -1 up)
  want(first, last, way) {
    const [from, to, end] = [this.page(first), this.page(last), this.page(this.order.length - 1)];
    const ahead = 2 * (to - from + 1);
    const wanted = [];
    for (let page = from; page <= to; page++) wanted.push(page);
    this.near = wanted.length;
    for (let step = 1; step <= ahead; step++) wanted.push(way > 0 ? to + step : from - step);
    for (let step = 1; step <= ahead; step++) wanted.push(way > 0 ? from - step : to + step);
    this.wanted = wanted.filter((page) => page >= 0 && page <= end);
    const still = new Set(this.wanted);
    for (const [page, flight] of this.flying) {
      if (!still.has(page)) {
        flight.abort();
        this.flying.delete(page);
      }
    }
    for (const page of this.wanted) {
      const sheet = this.loaded.get(page);
      if (sheet) {
        this.loaded.delete(page);
        this.loaded.set(page, sheet);
      }
    }
    for (const [page, sheet] of this.loaded) {
      if (this.loaded.size <= KEPT) break;
      if (!still.has(page)) {
        this.free(sheet);
        this.loaded.delete(page);
      }
    }
    this.pump();
  }

  // the first screen has the server to itself
  pump() {
    const most = this.loaded.size ? AT_ONCE : Math.min(AT_ONCE, this.near);
    for (const page of this.wanted) {
      if (this.flying.size >= most) return;
      if (!this.loaded.has(page) && !this.flying.has(page)) this.fetch(page);
    }
  }

  async fetch(page) {
    const [flight, order] = [new AbortController(), this.order];
    this.flying.set(page, flight);
    const ns = order.subarray(page * this.perSheet, (page + 1) * this.perSheet);
    const options = { signal: flight.signal };
    try {
      const sheet = await this.preview.fetch(this.version, ns, this.tile, options);
      if (this.flying.get(page) !== flight) return this.free(sheet);
      this.flying.delete(page);
      this.loaded.set(page, sheet);
      this.tries = 0;
      this.came(page * this.perSheet, (page + 1) * this.perSheet);
      this.pump();
    } catch (error) {
      if (this.flying.get(page) !== flight) return;
      this.flying.delete(page);
      this.failed(error);
      clearTimeout(this.timer);
      if (error.status !== 409) this.timer = setTimeout(() => this.pump(), Math.min(8000, 300 * 2 ** this.tries++));
    }
  }
}
