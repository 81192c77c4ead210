// What a job is to the page: what its states are called, which of two states is the
// later one, and which jobs a filter wants. No DOM here.

import { sketch } from "./json.js";
import { exactTime, formatCount, plural } from "./ui.js";

export const SCRAPER = "scraper";
export const MOST_ATTEMPTS = 3;

/** Each status: its badge and its name. */
export const STATUSES = {
  pending: ["quiet", "Pending"],
  running: ["running", "Running"],
  completed: ["ok", "Completed"],
  failed: ["failed", "Failed"],
  cancelled: ["quiet", "Cancelled"],
};

const SERVICE = /^[a-z][a-z0-9_]{0,39}$/;
const TOLD = ["status", "progress", "attempts", "assigned_node", "revision", "priority"];
const FACTS = ["urls_crawled", "urls_failed", "urls_waiting"];
const UNITS = [[604_800, "week"], [86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]];

export const keyOf = (job) => job.job_id;
export const isOver = ({ status }) => !["pending", "running"].includes(status);

/** What was asked for, in a line. */
export function titleOf({ service_name: service, data }) {
  if (typeof data?.url === "string") return data.url;
  return data ? sketch(data) : `A job of ${service}`;
}

/** How many pages a scrape has read, where that is known. */
export const pagesOf = ({ service_name: service, result, facts }) => (service === SCRAPER ? (result?.pages ?? facts?.urls_crawled ?? null) : null);

/** How far it is, in words. */
export function progressOf(job) {
  const pages = pagesOf(job);
  const most = job.data?.max_pages;
  if (pages === null) return `${Math.round(100 * shareOf(job))} %`;
  return !isOver(job) && most ? `${formatCount(pages)} of ${formatCount(most)}` : plural(pages, "page");
}

/** What a scrape tells besides, while it goes on. */
export function factsOf({ facts }) {
  const [failed, waiting] = [facts?.urls_failed, facts?.urls_waiting];
  return [failed > 0 && `${formatCount(failed)} not read`, waiting > 0 && `${formatCount(waiting)} in line`].filter(Boolean);
}

export const shareOf = ({ progress }) => Math.min(Math.max(Number(progress) || 0, 0), 1);

/** Whether it has not begun because its time has not come. */
export const isScheduled = (job) => job.status === "pending" && !job.attempts && Boolean(job.next_try_at);

/** Whether it has begun, and waits on purpose. */
export const isPaused = (job) => job.status === "running" && Boolean(job.next_try_at);

/** What one that waits on purpose waits for, and until when. */
export const pauseOf = (job) => `Waits${job.service_name === SCRAPER ? " for the site" : ""} until ${clockOf(job.next_try_at)}`;

// The day goes without saying where it is today.
function clockOf(value) {
  const [day, clock] = exactTime(Date.parse(value)).split(" ");
  const hour = `${clock.slice(0, 5)} UTC`;
  return day === new Date().toISOString().slice(0, 10) ? hour : `${day} ${hour}`;
}

/** How often it is repeated, in words. */
export function everyOf(seconds) {
  const [size, unit] = UNITS.find(([one]) => seconds % one === 0) ?? UNITS.at(-1);
  return seconds === size ? `every ${unit}` : `every ${plural(seconds / size, unit)}`;
}

/** The job that one is compared with, where that is known. */
export const comparedWith = ({ data, previous_job_id: previous }) => data?.compare_with ?? previous ?? null;

/** Tell whether what is told of a job is later than what is known of it. */
export function isLater(told, known) {
  if (isOver(known) || told.revision <= known.revision) return false;
  if (isOver(told)) return true;
  const tries = (told.attempts ?? known.attempts) - known.attempts;
  if (tries) return tries > 0;
  return told.status !== known.status || told.progress >= known.progress;
}

/** Tell whether an answer of the server's, asked for who knows when, is as far as what is known. */
export function isFarther(job, known) {
  if (job.attempts !== known.attempts) return job.attempts > known.attempts;
  return job.status === known.status && job.progress >= known.progress;
}

/** A job, and what a message tells of it. */
export function advanced(job, news) {
  const changes = Object.fromEntries(TOLD.filter((name) => news[name] !== undefined).map((name) => [name, news[name]]));
  const told = FACTS.filter((name) => news[name] !== undefined).map((name) => [name, news[name]]);
  const now = new Date().toISOString(); // The list tells it exactly, when it is next asked.
  return {
    ...job,
    ...changes,
    facts: told.length ? { ...job.facts, ...Object.fromEntries(told) } : job.facts,
    // Who tells of progress does not wait any more.
    next_try_at: news.status === "pending" && job.status === "pending" ? job.next_try_at : null,
    error: news.error ?? (news.status === "running" ? null : job.error),
    started_at: job.started_at ?? (news.status === "running" ? now : null),
    completed_at: job.completed_at ?? (isOver(news) ? now : null),
    queue_position: news.status === "pending" ? job.queue_position : null,
  };
}

/** A job as the server shows it; lists leave out what is large, and its place in the queue. */
export function joined(known, job) {
  const waits = job.status === "pending" ? known.queue_position : null;
  return {
    ...known,
    ...job,
    data: job.data ?? known.data,
    result: job.result ?? known.result,
    facts: job.facts ?? known.facts,
    queue_position: job.queue_position ?? waits,
  };
}

/** What the address asks for; what is malformed in it is left out. */
export function wished(query) {
  const [status = "", service = ""] = [query.status?.[0], query.service?.[0]];
  return { status: Object.hasOwn(STATUSES, status) ? status : "", service: SERVICE.test(service) ? service : "" };
}

/** Return a function that tells whether a job, as it is now, is wanted. */
export const matcherOf = ({ status, service }) => (job) => (!status || job.status === status) && (!service || job.service_name === service);

/** The services that there are, or that were heard of, by name. */
export function servicesIn({ services, known }) {
  const names = [...known.values()].map((job) => job.service_name);
  return [...new Set([SCRAPER, ...services, ...names])].filter((name) => SERVICE.test(name)).sort();
}

/** A worker, by whichever names the server has for what is known of it. */
export const workerOf = (told) => ({
  node: told.node ?? told.id,
  service: told.service ?? told.service_name,
  capability: told.capability ?? told.capabilities?.join(", "),
  state: told.state,
  job_id: told.job_id,
  seen_at: told.seen_at ?? told.heartbeat_at,
});

const ADVICE = [
  [/robots/i, "The site asks robots to stay away. Ask whoever runs it, or begin at another address."],
  [/tim(ed?|e)[ -]?out|deadline/i, "The site may be slow: submit it again with a longer time-out, or for fewer pages."],
  [/private|loopback|metadata/i, "Only addresses that everybody can reach are asked."],
];

/** What to do about a job that failed. */
export function adviceFor({ error }) {
  const found = ADVICE.find(([pattern]) => pattern.test(error ?? ""));
  return found?.[1] ?? "Look at what the error names, mend it, and submit the job again. What was found by then is kept.";
}
