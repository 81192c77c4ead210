// The pull requests that a page shows.

import { getPulls } from "./api.js";
import { PULLS } from "./live.js";
import { LiveList, useLiveList } from "./livelist.js";
import { askedOf, keyOf, matcherOf } from "./pullmodel.js";

const PAGES = { open: { limit: 100, most: 5 }, done: { limit: 30, most: 1 } };

export class PullList extends LiveList {
  constructor(onChange) {
    super({ channel: PULLS, keyOf, newer }, onChange);
    this.cursors = {};
  }

  get more() {
    return Boolean(this.cursors.open || this.cursors.done);
  }

  show(wish) {
    return super.show(wish, matcherOf(wish));
  }

  // The open ones first: the cursor that comes with them is from before all others.
  async walk(round) {
    const [found, cursors] = [new Set(), {}];
    for (const [state, { most }] of Object.entries(PAGES)) {
      for (let pages = 0; pages < most && cursors[state] !== null; pages += 1) {
        const page = await this.page(state, cursors[state]);
        if (round !== this.round) return found;
        cursors[state] = page.cursor ?? null;
        this.takePage(page, found);
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

  takePage({ pulls, live }, found) {
    this.take(pulls, found);
    this.start ??= live;
    this.open(live);
  }

  async fetchOlder(round) {
    const state = this.cursors.open ? "open" : "done";
    const page = await this.page(state, this.cursors[state]);
    if (round !== this.round) return;
    this.cursors[state] = page.cursor ?? null;
    const found = new Set(this.listed);
    this.takePage(page, found);
    this.list(found);
  }

  /** Keep a pull request, unless a state as new is known; tells whether it was kept. */
  learn(pull) {
    const key = keyOf(pull);
    if (this.known.get(key)?.revision >= pull.revision) return false;
    this.keep(key, pull);
    return true;
  }

  connect(config) {
    super.connect(config);
    this.open(this.start);
  }

  // From the list's cursor: nothing that changes after it was asked for is missed.
  open(cursor) {
    const { repository } = this.wish;
    if (cursor) this.listen(repository ? { repository } : {}, cursor);
  }

  hearOf(pull) {
    const key = keyOf(pull);
    const before = this.known.get(key);
    if (!this.learn(pull)) return;
    this.arrived.set(key, Date.now());
    this.moved(key, before);
  }
}

const moment = ({ updated_at: at }) => Date.parse(at) || 0;
const newer = (a, b) => moment(b) - moment(a) || b.pr_number - a.pr_number;

/** The list that `wish` asks for, while the page is there; `onStatus` hears of its connection. */
export const usePulls = (wish, config, onStatus) => useLiveList(PullList, wish, config, onStatus);
