// Where the feed's events come from: the log by pages, the live connection, and how the
// two are joined without a gap.

import { useEffect } from "./preact-htm.js";
import { apiKey, getEvents } from "./api.js";
import { Feed } from "./feed.js";
import { filterMatcher } from "./filters.js";
import { DASHBOARD, Live } from "./live.js";
import { topicMatcher } from "./topics.js";

const PAGE = 100;
const MOST_EMPTY_PAGES = 5;
const KEPT = 1_000;
const OWN = "eventyard.";
const REPORTED = "telemetry.reported";
const EVERYTHING = { topics: [], filters: [], resting: true };
const NOTHING = { topics: [`${OWN}**`], filters: [], resting: true };

export const MISSED = "Some events may be missing here; the list was reloaded from the log.";

/** `onChange()` after anything here has changed. */
export class Source {
  constructor(onChange) {
    this.onChange = onChange;
    this.feed = new Feed({ onChange });
    this.status = { state: "connecting", since: Date.now() };
    this.told = null; // The status of a page's own connection, which counts there.
    this.query = { topics: [], filters: [] };
    this.wanted = () => false;
    this.round = 0;
    this.reset();
    window.addEventListener("eventyard:key", () => this.again());
  }

  reset() {
    Object.assign(this, { loading: true, error: null, cursor: null, notice: "", busy: false });
  }

  /** Open the live connection, once the configuration is known. */
  connect({ live_url: liveUrl, auth }) {
    this.config = { liveUrl, auth };
    if (this.live || (auth === "keys" && !apiKey.get())) return;
    this.live = new Live({
      channel: DASHBOARD,
      liveUrl,
      onItems: (events) => this.take(events),
      onStatus: (status) => this.change({ status }),
      onHello: (hello) => this.greeted(hello),
    });
    this.live.start(asking(this.query));
  }

  /** Show another selection of events, of which the list keeps up to `kept`. */
  show({ topics, filters, last, since, until, kept = KEPT }) {
    const sameTopics = topics.join() === this.query.topics.join();
    this.watcher = null;
    this.query = { topics, filters, last, since, until };
    this.feed.limit = kept;
    const [onTopic, passes] = [topicMatcher(topics), filterMatcher(filters)];
    this.wanted = (event) => !until && onTopic(event.type) && passes(event);
    this.reset();
    this.feed.narrow((event) => onTopic(event.type) && passes(event));
    if (!sameTopics) this.live?.start(asking(this.query));
    this.stale = true;
    return this.reload();
  }

  /** Show nothing, but stay connected, and say when somebody changes something. */
  rest(query = NOTHING) {
    const sameTopics = query.topics.join() === this.query.topics.join();
    this.query = query;
    this.watcher = null;
    this.wanted = () => false;
    this.round += 1;
    if (!sameTopics) this.live?.start(asking(this.query));
  }

  /** Show nothing, but tell `watcher(events)` of every event as it comes. */
  follow(watcher) {
    this.rest(EVERYTHING);
    this.watcher = watcher;
  }

  take(events) {
    if (events.some(({ type }) => type.startsWith(OWN))) window.dispatchEvent(new Event("eventyard:told"));
    if (events.some(({ type }) => type === REPORTED)) window.dispatchEvent(new Event("eventyard:reported"));
    this.watcher?.(events);
    this.feed.add(events.filter(this.wanted));
  }

  // Between the list's answer and the first hello, or while away for too long, events
  // may have been missed: the log has them.
  greeted({ recovered }) {
    if (this.query.resting) return;
    if (recovered === false) this.change({ notice: MISSED });
    if (recovered !== true) this.reload();
  }

  /** The same again, after a fault or with another key. */
  again() {
    if (this.live) this.live.restart();
    else if (this.config) this.connect({ live_url: this.config.liveUrl, auth: this.config.auth });
    return this.reload();
  }

  async reload() {
    if (this.query.resting) return;
    const round = ++this.round;
    const asked = Date.now();
    this.change({ loading: true });
    await this.guarded(round, async () => {
      const { events, cursor } = await this.page(null, round);
      if (round !== this.round) return;
      const endsHere = this.feed.merge(events, asked, { replace: this.stale });
      this.stale = false;
      this.change({ loading: false, error: null, ...(endsHere && { cursor }) });
    });
  }

  /** Fetch what is older than the end of the list. */
  async older() {
    if (this.busy || !this.cursor) return;
    const round = this.round;
    this.change({ busy: true });
    await this.guarded(round, async () => {
      const { events, cursor } = await this.page(this.cursor, round);
      if (round !== this.round) return;
      this.feed.append(events);
      this.change({ error: null, cursor });
    });
    this.change({ busy: false });
  }

  async guarded(round, act) {
    try {
      await act();
    } catch (error) {
      if (round === this.round) this.change({ loading: false, error });
    }
  }

  // A page may be empty and still have a cursor: the search goes on below it.
  async page(cursor, round) {
    let page = { events: [], cursor };
    for (let asked = 0; asked < MOST_EMPTY_PAGES && round === this.round; asked += 1) {
      page = await getEvents({ ...this.query, ...this.span(), limit: PAGE, cursor: page.cursor });
      if (page.events.length || !page.cursor) break;
    }
    return page;
  }

  // "The last hour" moves on with the clock; the address does not.
  span() {
    const { last, since, until } = this.query;
    return last ? { since: new Date(Date.now() - last).toISOString() } : { since, until };
  }

  change(fields) {
    Object.assign(this, fields);
    this.onChange();
  }
}

const asking = ({ topics }) => ({ events: topics.join(",") || "*" });

/** Make the source follow what a page asks for; null stands for nothing. */
export function useSource(source, config, query) {
  useEffect(() => void (query ? source.show(query) : source.rest()), [JSON.stringify(query)]);
  useEffect(() => void (config && source.connect(config)), [Boolean(config)]);
}
