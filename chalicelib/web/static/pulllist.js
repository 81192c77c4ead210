// The pull requests that a page shows: the server's list, the live connection, and how
// the two are joined so that nothing is missed and nothing old replaces what is newer.

import { useEffect, useMemo, useReducer } from "./preact-htm.js";
import { apiKey, getPulls } from "./api.js";
import { useWindow } from "./hooks.js";
import { Live, PULLS } from "./live.js";
import { askedOf, keyOf, matcherOf } from "./pullmodel.js";

const PAGES = { open: { limit: 100, most: 5 }, done: { limit: 30, most: 1 } };
const KNOWN = 3_000;
const FRAME_GAP_MS = 100;
const FRESH_MS = 1_500;
const CHECK_MS = 15_000;
const LIVE_MS = 300_000;

/** A list as ListPanel takes one; `onChange()` after anything here has changed. */
export class PullList {
  constructor(onChange) {
    Object.assign(this, { onChange, known: new Map(), listed: new Set(), heard: new Map(), arrived: new Map() });
    Object.assign(this, { loading: true, answered: false, error: null, busy: false, cursors: {}, sorted: null });
    Object.assign(this, { round: 0, at: 0, changes: 0, status: { state: "connecting", since: Date.now() } });
    this.refresh = () => this.reload();
    this.loadMore = () => this.older();
  }

  /** Those that are shown, the newest change first, or null before that is known. */
  get rows() {
    if (!this.answered && !this.listed.size) return null;
    this.sorted ??= [...this.listed].map((key) => this.known.get(key)).sort(newer);
    return this.sorted;
  }

  get more() {
    return Boolean(this.cursors.open || this.cursors.done);
  }

  /** Whether it has just changed before the reader's eyes. */
  isFresh(pull) {
    return Date.now() - (this.arrived.get(keyOf(pull)) ?? 0) < FRESH_MS;
  }

  /** Show another selection: what is here already is narrowed at once. */
  show(wish) {
    this.wish = wish;
    this.passes = matcherOf(wish);
    this.list([...this.listed].filter((key) => this.passes(this.known.get(key))));
    this.answered = false;
    return this.reload();
  }

  /** Ask for the list again; what the connection tells meanwhile counts for more. */
  async reload() {
    const round = ++this.round;
    this.heard = new Map();
    this.change({ loading: true });
    try {
      const found = await this.walk(round);
      if (round === this.round) this.settle(found);
    } catch (error) {
      if (round === this.round) this.change({ loading: false, error });
    }
  }

  // The open ones first: the cursor that comes with them is from before all others.
  async walk(round) {
    const [found, cursors] = [new Set(), {}];
    for (const [state, { most }] of Object.entries(PAGES)) {
      for (let pages = 0; pages < most && cursors[state] !== null; pages += 1) {
        const page = await this.page(state, cursors[state]);
        if (round !== this.round) return found;
        cursors[state] = page.cursor ?? null;
        this.take(page, found);
      }
    }
    this.cursors = cursors;
    return found;
  }

  async page(state, cursor) {
    const asked = askedOf(this.wish, state);
    if (!asked) return { pulls: [], cursor: null };
    return getPulls({ ...asked, limit: PAGES[state].limit, cursor });
  }

  // Something is better than nothing: the first pages show before the last are here.
  take({ pulls, live }, found) {
    pulls.forEach((pull) => this.learn(pull));
    for (const pull of pulls) found.add(keyOf(pull));
    if (!this.answered) this.list([...this.listed, ...found]);
    this.start ??= live;
    this.listen(live);
    this.change({});
  }

  settle(found) {
    for (const key of this.heard.keys()) {
      if (this.passes(this.known.get(key))) found.add(key);
      else found.delete(key);
    }
    this.list(found);
    this.change({ loading: false, answered: true, error: null, at: Date.now() });
  }

  /** Fetch what is older: of the open ones first. */
  async older() {
    const state = this.cursors.open ? "open" : "done";
    if (this.busy || !this.cursors[state]) return;
    const round = this.round;
    this.change({ busy: true });
    try {
      const page = await this.page(state, this.cursors[state]);
      if (round === this.round) this.append(state, page);
    } catch (error) {
      this.change({ error });
    }
    this.change({ busy: false });
  }

  append(state, page) {
    this.cursors[state] = page.cursor ?? null;
    const found = new Set(this.listed);
    this.take(page, found);
    this.list(found);
  }

  list(keys) {
    Object.assign(this, { listed: new Set(keys), sorted: null });
  }

  /** Keep a pull request, unless a state as new is known; tells whether it was kept. */
  learn(pull) {
    const key = keyOf(pull);
    if (this.known.get(key)?.revision >= pull.revision) return false;
    this.known.set(key, pull);
    this.sorted = null;
    return true;
  }

  /** Open the live connection, once the configuration is known and the list has a cursor. */
  connect({ live_url: liveUrl, auth }) {
    this.config = { liveUrl, auth };
    this.listen(this.start);
  }

  listen(cursor) {
    if (!this.config || !cursor || (this.config.auth === "keys" && !apiKey.get())) return;
    const { repository } = this.wish;
    if (this.live && (this.live.wish.repository ?? "") === repository) return;
    this.live ??= new Live({
      channel: PULLS,
      liveUrl: this.config.liveUrl,
      onItems: (pulls) => this.hear(pulls),
      onStatus: (status) => this.change({ status }),
      onHello: ({ recovered }) => recovered === true || this.reload(),
    });
    this.live.start(repository ? { repository } : {}, cursor);
  }

  /** Take in what the connection tells; it shows with one of the next frames. */
  hear(pulls) {
    for (const pull of pulls) this.hearOf(pull, keyOf(pull));
    if (this.known.size > KNOWN) this.forget();
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  // A burst is drawn a few times a second, however many changes it brings.
  tick(now) {
    const late = now - (this.drawn ?? 0) >= FRAME_GAP_MS;
    this.frame = late ? null : requestAnimationFrame((next) => this.tick(next));
    if (late) this.change({ drawn: now });
  }

  // One that the server found by more than this page can see stays where it is.
  hearOf(pull, key) {
    const before = this.known.get(key);
    if (!this.learn(pull)) return;
    const stays = this.listed.has(key) && !this.passes(before);
    if (this.passes(pull) || stays) this.listed.add(key);
    else this.listed.delete(key);
    this.heard.set(key, pull);
    this.arrived.set(key, Date.now());
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

const moment = ({ updated_at: at }) => Date.parse(at) || 0;
const newer = (a, b) => moment(b) - moment(a) || b.pr_number - a.pr_number;

/** The list that `wish` asks for, while the page is there; `onStatus` hears of its connection. */
export function usePulls(wish, config, onStatus) {
  const [, redraw] = useReducer((count) => count + 1, 0);
  const list = useMemo(() => new PullList(redraw), []);
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
