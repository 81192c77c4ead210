// The events that the feed shows: the last 1,000, taken in by animation frame, held
// back while someone reads. No DOM here beyond the frame clock.

const FRAME_GAP_MS = 100;
const RATE_SPAN_MS = 5_000;

/** What makes two appearances of an event the same one. */
export function keyOf(event) {
  return `${event.id}|${event.source ?? ""}`;
}

export class Feed {
  constructor({ limit = 1_000, onChange }) {
    Object.assign(this, { limit, onChange, held: false });
    this.clear();
  }

  clear() {
    Object.assign(this, { rows: [], waiting: [], waitingCount: 0, pending: [], overflow: 0, trimmed: false });
    this.seen = new Set();
    this.arrivals = [];
    this.changed();
  }

  /** Take in events as they come, oldest first; they show with the next frame. */
  add(events) {
    const fresh = events.filter((event) => this.isNew(event));
    if (!fresh.length) return;
    const now = Date.now();
    for (const event of fresh) event.arrived = now;
    if (this.seen.size > this.limit * 5) this.forget();
    this.arrivals.push([now, fresh.length]);
    this.pending.push(...fresh);
    this.bound();
    this.schedule();
  }

  /** Keep only some of what is here, at once, until the log has answered for them. */
  narrow(wanted) {
    this.take();
    this.waiting = this.waiting.filter(wanted);
    this.waitingCount = this.waiting.length;
    this.trimmed = false;
    this.arrivals = [];
    this.put(this.rows.filter(wanted));
    this.forget();
  }

  /**
   * Put the log's latest page, newest first, where it belongs: above what is known,
   * below what arrived since it was asked for. With `replace` nothing stays below it.
   *
   * Returns whether the list now ends where the page does.
   */
  merge(page, since, { replace = false } = {}) {
    this.take();
    if (this.held && this.rows.length && !replace) {
      this.wait(page.filter((event) => this.isNew(event)));
      return false;
    }
    const inPage = new Set(page.map(keyOf));
    const met = this.rows.findIndex((event) => inPage.has(keyOf(event)));
    const isAbove = (event, at) => event.arrived >= since || at < met;
    const others = (above) => this.rows.filter((event, at) => !inPage.has(keyOf(event)) && isAbove(event, at) === above);
    const below = replace || met < 0 ? [] : others(false);
    this.put([...others(true), ...page, ...below]);
    this.forget();
    return !below.length;
  }

  /** Put an older page, newest first, at the end. */
  append(page) {
    const older = page.filter((event) => this.isNew(event));
    this.put([...this.rows, ...older]);
  }

  /** Hold new events back, or let them show again. */
  hold(held) {
    if (held === this.held) return;
    this.take();
    this.held = held;
    if (!held) this.release();
  }

  /** Show what waits, once. */
  release() {
    this.take();
    const waiting = this.waiting;
    Object.assign(this, { waiting: [], waitingCount: 0 });
    this.put([...waiting, ...this.rows]);
  }

  find(id) {
    const same = (event) => event.id === id;
    return this.rows.find(same) ?? this.waiting.find(same) ?? this.pending.find(same);
  }

  /** Events per second, over the last five. */
  rate(now = Date.now()) {
    while (this.arrivals.length && this.arrivals[0][0] < now - RATE_SPAN_MS) this.arrivals.shift();
    const count = this.arrivals.reduce((sum, [, n]) => sum + n, 0);
    return (count * 1000) / RATE_SPAN_MS;
  }

  isNew(event) {
    const key = keyOf(event);
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    return true;
  }

  // No frames come while the page is hidden: then what arrives is bounded here.
  bound() {
    const excess = this.pending.length - this.limit;
    if (excess <= 0) return;
    this.pending.splice(0, excess);
    this.overflow += excess;
  }

  schedule() {
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.frame = null;
    if (now - (this.lastTick ?? 0) < FRAME_GAP_MS) return this.schedule();
    this.lastTick = now;
    this.take();
    return this.changed();
  }

  // Move what arrived to the rows, or behind them while held.
  take() {
    if (!this.pending.length) return;
    const fresh = this.pending.reverse();
    const dropped = this.overflow;
    Object.assign(this, { pending: [], overflow: 0 });
    if (this.held) this.wait(fresh, dropped);
    else this.put([...fresh, ...this.rows]);
  }

  wait(fresh, dropped = 0) {
    this.waitingCount += fresh.length + dropped;
    this.waiting = [...fresh, ...this.waiting].slice(0, this.limit);
    this.changed();
  }

  put(rows) {
    this.trimmed ||= rows.length > this.limit;
    this.rows = rows.slice(0, this.limit);
    this.changed();
  }

  forget() {
    this.seen = new Set([...this.rows, ...this.waiting, ...this.pending].map(keyOf));
  }

  changed() {
    this.onChange?.();
  }
}
