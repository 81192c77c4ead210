// The jobs that a page shows.

import { getJob, getJobs } from "./api.js";
import { advanced, isFarther, isLater, isOver, isPaused, joined, keyOf, matcherOf } from "./jobmodel.js";
import { JOBS } from "./live.js";
import { LiveList, useLiveList } from "./livelist.js";

const PAGE = 50;
const SOON_MS = 700;
const SILENT_MS = 20_000;

export class JobList extends LiveList {
  constructor(onChange) {
    super({ channel: JOBS, keyOf, newer }, onChange);
    Object.assign(this, { cursor: null, pages: 1, services: [], start: null, timer: null, told: new Map() });
  }

  get more() {
    return Boolean(this.cursor);
  }

  show(wish) {
    this.pages = 1;
    return super.show(wish, matcherOf(wish));
  }

  // As many pages as are shown, so that none of them goes.
  async walk(round) {
    const found = new Set();
    let cursor = null;
    for (let pages = 0; pages < this.pages && (cursor || !pages); pages += 1) {
      const page = await this.page(cursor);
      if (round !== this.round) return found;
      this.start ??= page.live ?? null;
      this.services = page.services?.map(({ name }) => name) ?? [];
      this.take(page.jobs, found);
      cursor = page.cursor ?? null;
    }
    this.cursor = cursor;
    this.listen({}, this.start);
    return found;
  }

  page(cursor) {
    return getJobs({ ...this.wish, limit: PAGE, cursor });
  }

  async fetchOlder(round) {
    const page = await this.page(this.cursor);
    if (round !== this.round) return;
    const found = new Set(this.listed);
    this.take(page.jobs, found);
    this.list(found);
    this.cursor = page.cursor ?? null;
    this.pages += 1;
  }

  /** Read one whole, and keep what is new of it. */
  async look(id) {
    const before = this.known.get(id);
    const job = await getJob(id);
    this.learn(job);
    if (before && before.status !== this.known.get(id).status) this.moved(id, before);
    this.change({});
    return this.known.get(id);
  }

  /** Keep what the server shows of a job, unless something later is known. */
  learn(job) {
    const known = this.known.get(job.job_id);
    if (!known) return this.keep(job.job_id, job);
    const whole = joined(known, job);
    const isOld = !isOver(job) && (isOver(known) || (this.heard.has(job.job_id) && !isFarther(job, known)));
    return this.keep(job.job_id, isOld ? advanced(whole, known) : whole);
  }

  connect(config) {
    super.connect(config);
    // From the list's cursor; without one the list is asked for again once it is there.
    if (this.answered) this.listen({}, this.start);
  }

  hearOf(news) {
    const { job_id: id } = news;
    const before = this.known.get(id);
    if (!before) return this.hearOfNew(news);
    if (!isLater(news, before)) return undefined;
    this.keep(id, advanced(before, news));
    this.told.set(id, Date.now());
    if (news.status !== before.status) this.arrived.set(id, Date.now());
    return this.moved(id, before);
  }

  // A message is not all of a job: the list has the rest.
  hearOfNew(news) {
    this.changes += 1;
    if (this.passes(news)) this.soon();
  }

  soon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (this.loading) this.soon();
      else this.reload();
    }, SOON_MS);
  }

  // That a job begins to wait is not told: the list knows why one is silent.
  check() {
    super.check();
    if (!document.hidden && !this.loading && this.rows?.some((job) => this.isSilent(job))) this.reload();
  }

  isSilent(job) {
    if (job.status !== "running" || (isPaused(job) && Date.parse(job.next_try_at) > Date.now())) return false;
    return Date.now() - Math.max(this.told.get(job.job_id) ?? 0, this.at) > SILENT_MS;
  }

  forget() {
    super.forget();
    for (const id of this.told.keys()) if (!this.known.has(id)) this.told.delete(id);
  }

  end() {
    clearTimeout(this.timer);
    super.end();
  }
}

const moment = ({ created_at: at }) => Date.parse(at) || 0;
const newer = (a, b) => moment(b) - moment(a) || (a.job_id < b.job_id ? 1 : -1);

/** The list that `wish` asks for, while the page is there; `onStatus` hears of its connection. */
export const useJobs = (wish, config, onStatus) => useLiveList(JobList, wish, config, onStatus);
