// Where the feed's events come from: the log by pages, the live connection, and how the
// two are joined without a gap.

import { apiKey, getEvents } from "./api.js";
import { Feed } from "./feed.js";
import { filterMatcher } from "./filters.js";
import { Live } from "./live.js";
import { topicMatcher } from "./topics.js";

const PAGE = 100;
const MOST_EMPTY_PAGES = 5;

export const MISSED = "Some events may be missing here; the list was reloaded from the log.";

/** `onChange()` after anything here has changed. */
export class Source {
  constructor(onChange) {
    this.onChange = onChange;
    this.feed = new Feed({ onChange });
    this.status = { state: "connecting", since: Date.now() };
    this.query = { topics: [], filters: [] };
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
      liveUrl,
      onEvents: (events) => this.take(events),
      onStatus: (status) => this.change({ status }),
      onHello: (hello) => this.greeted(hello),
    });
    this.live.start(this.query.topics);
  }

  /** Show another selection of events. */
  show(topics, filters) {
    const sameTopics = topics.join() === this.query.topics.join();
    this.query = { topics, filters };
    const [onTopic, passes] = [topicMatcher(topics), filterMatcher(filters)];
    this.wanted = (event) => onTopic(event.type) && passes(event);
    this.reset();
    this.feed.narrow(this.wanted);
    if (!sameTopics) this.live?.start(topics);
    this.stale = true;
    return this.reload();
  }

  take(events) {
    this.feed.add(events.filter(this.wanted));
  }

  // Between the list's answer and the first hello, or while away for too long, events
  // may have been missed: the log has them.
  greeted({ recovered }) {
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
      page = await getEvents({ ...this.query, limit: PAGE, cursor: page.cursor });
      if (page.events.length || !page.cursor) break;
    }
    return page;
  }

  change(fields) {
    Object.assign(this, fields);
    this.onChange();
  }
}
