// A list of the server's that the live connection keeps fresh: how the two are joined so
// that nothing is missed and nothing old replaces what is newer.

import { useEffect, useMemo, useReducer } from "./preact-htm.js";
import { apiKey } from "./api.js";
import { useWindow } from "./hooks.js";
import { Live } from "./live.js";

const KNOWN = 3_000;
const FRAME_GAP_MS = 100;
const FRESH_MS = 1_500;
const CHECK_MS = 15_000;
const LIVE_MS = 300_000;

/**
 * A list as ListPanel takes one; `onChange()` after anything here has changed.
 *
 * It is of what `channel` tells, by `keyOf(row)` and in the order of `newer(a, b)`. A
 * kind of list says how the server is asked (`walk(round)`, which returns the keys that
 * it found, and `fetchOlder(round)`) and what a message means (`hearOf(item)`).
 */
export class LiveList {
  constructor({ channel, keyOf, newer }, onChange) {
    Object.assign(this, { channel, keyOf, newer, onChange });
    Object.assign(this, { known: new Map(), listed: new Set(), heard: new Set(), arrived: new Map() });
    Object.assign(this, { loading: true, answered: false, error: null, busy: false, sorted: null });
    Object.assign(this, { round: 0, at: 0, changes: 0, status: { state: "connecting", since: Date.now() } });
    this.refresh = () => this.reload();
    this.loadMore = () => this.older();
  }

  /** Those that are shown, the newest first, or null before that is known. */
  get rows() {
    if (!this.answered && !this.listed.size) return null;
    this.sorted ??= [...this.listed].map((key) => this.known.get(key)).sort(this.newer);
    return this.sorted;
  }

  /** Whether it has just changed before the reader's eyes. */
  isFresh(row) {
    return Date.now() - (this.arrived.get(this.keyOf(row)) ?? 0) < FRESH_MS;
  }

  /** Show another selection: what is here already is narrowed at once. */
  show(wish, passes) {
    Object.assign(this, { wish, passes });
    this.list([...this.listed].filter((key) => this.passes(this.known.get(key))));
    this.answered = false;
    return this.reload();
  }

  /** Ask for the list again; what the connection tells meanwhile counts for more. */
  async reload() {
    const round = ++this.round;
    this.heard = new Set();
    this.change({ loading: true });
    try {
      const found = await this.walk(round);
      if (round === this.round) this.settle(found);
    } catch (error) {
      if (round === this.round) this.change({ loading: false, error });
    }
  }

  settle(found) {
    for (const key of this.heard) {
      if (this.passes(this.known.get(key))) found.add(key);
      else found.delete(key);
    }
    this.list(found);
    this.change({ loading: false, answered: true, error: null, at: Date.now() });
  }

  /** Take a page of the server's; something is better than nothing, so it shows at once. */
  take(rows, found) {
    for (const row of rows) {
      this.learn(row);
      found.add(this.keyOf(row));
    }
    if (!this.answered) this.list([...this.listed, ...found]);
    this.change({});
  }

  /** Fetch what is older. */
  async older() {
    if (this.busy || !this.more) return;
    this.change({ busy: true });
    try {
      await this.fetchOlder(this.round);
    } catch (error) {
      this.change({ error });
    }
    this.change({ busy: false });
  }

  list(keys) {
    Object.assign(this, { listed: new Set(keys), sorted: null });
  }

  keep(key, row) {
    this.known.set(key, row);
    this.sorted = null;
  }

  /** Open the live connection, once the configuration is known. */
  connect({ live_url: liveUrl, auth }) {
    this.config = { liveUrl, auth };
  }

  /** Listen to what `wish` asks for, a query of the channel's, unless that is done already. */
  listen(wish, cursor) {
    if (!this.config || (this.config.auth === "keys" && !apiKey.get())) return;
    if (this.live && JSON.stringify(this.live.wish) === JSON.stringify(wish)) return;
    this.live ??= new Live({
      channel: this.channel,
      liveUrl: this.config.liveUrl,
      onItems: (items) => this.hear(items),
      onStatus: (status) => this.change({ status }),
      onHello: ({ recovered }) => recovered === true || this.reload(),
    });
    this.live.start(wish, cursor);
  }

  /** Take in what the connection tells; it shows with one of the next frames. */
  hear(items) {
    for (const item of items) this.hearOf(item);
    if (this.known.size > KNOWN) this.forget();
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  // A burst is drawn a few times a second, however many changes it brings.
  tick(now) {
    const late = now - (this.drawn ?? 0) >= FRAME_GAP_MS;
    this.frame = late ? null : requestAnimationFrame((next) => this.tick(next));
    if (late) this.change({ drawn: now });
  }

  /** One has changed; `before` is what was known of it. */
  moved(key, before) {
    // One that the server found by more than this page can see stays where it is.
    const stays = this.listed.has(key) && !this.passes(before);
    if (stays || this.passes(this.known.get(key))) this.listed.add(key);
    else this.listed.delete(key);
    this.heard.add(key);
    this.sorted = null;
    this.changes += 1;
  }

  forget() {
    const others = [...this.known.keys()].filter((key) => !this.listed.has(key));
    for (const key of others) this.known.delete(key) && this.arrived.delete(key);
  }

  /** The same again, with another key. */
  again() {
    this.live?.restart();
    return this.reload();
  }

  /** Ask again for what may have grown old: soon without a connection, seldom with one. */
  check() {
    const ms = this.status.state === "live" ? LIVE_MS : CHECK_MS;
    if (!document.hidden && !this.loading && Date.now() - this.at > ms) this.reload();
  }

  end() {
    this.round += 1;
    this.onChange = () => {};
    this.live?.end();
  }

  change(fields) {
    Object.assign(this, fields);
    this.onChange();
  }
}

/** The list that `wish` asks for, while the page is there; `onStatus` hears of its connection. */
export function useLiveList(Kind, wish, config, onStatus) {
  const [, redraw] = useReducer((count) => count + 1, 0);
  const list = useMemo(() => new Kind(redraw), []);
  useEffect(() => void list.show(wish), [JSON.stringify(wish)]);
  useEffect(() => void (config && list.connect(config)), [Boolean(config)]);
  useEffect(() => void onStatus(list.status), [list.status]);
  useEffect(() => {
    const timer = setInterval(() => list.check(), CHECK_MS);
    return () => {
      clearInterval(timer);
      list.end();
      onStatus(null);
    };
  }, []);
  useWindow("eventyard:key", () => list.again());
  return list;
}
