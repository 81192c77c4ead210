// What a pull request is to the page: its key, its column, what its states are called,
// and which of them a filter wants. No DOM here.

import { formatSpan, plural } from "./ui.js";

/** The columns of the board: id, name, and the statuses that stand in it. */
export const COLUMNS = [
  { id: "pending", name: "Pending", statuses: ["pending"] },
  { id: "building", name: "Building", statuses: ["building"] },
  { id: "failed", name: "Failed", statuses: ["buildFailed"] },
  { id: "passed", name: "Passed", statuses: ["buildPassed"] },
  { id: "approved", name: "Approved", statuses: ["approved"] },
  { id: "done", name: "Merged, closed", statuses: ["merged", "closed"] },
];

/** Each status: its badge and its name. */
export const STATUSES = {
  pending: ["quiet", "Pending"],
  building: ["running", "Building"],
  buildFailed: ["failed", "Build failed"],
  buildPassed: ["ok", "Build passed"],
  approved: ["ok", "Approved"],
  merged: ["ok", "Merged"],
  closed: ["quiet", "Closed"],
};

/** Each risk: its badge, its name, and a sign that tells it without colour. */
export const RISKS = {
  low: ["ok", "Low risk", "●○○"],
  medium: ["warning", "Medium risk", "●●○"],
  high: ["failed", "High risk", "●●●"],
};

const DONE = ["merged", "closed"];
export const STATES = { open: Object.keys(STATUSES).filter((status) => !DONE.includes(status)), done: DONE };

const PLACE = /^([^/]+)\/([^/]+)\/(\d{1,12})$/;

/** What names a pull request everywhere here: `octo/shop/101`, as in its address. */
export const keyOf = (pull) => `${pull.repository_name}/${pull.pr_number}`;

/** [owner, name, number] of a key, or null. */
export const placeIn = (key) => PLACE.exec(key ?? "")?.slice(1) ?? null;

/** The status of a pull request and its risk, where one is known. */
export const riskOf = (pull) => pull.ai_insight?.risk_level ?? null;

/** What its checks say: [kind, words, all of it]. */
export function checksOf({ passed = 0, failed = 0, running = 0, ignored = 0 } = {}) {
  const total = passed + failed + running;
  const all = `${passed} passed, ${failed} failed, ${running} running, ${ignored} ignored`;
  if (failed) return ["failed", `${failed} of ${total} failed`, all];
  if (running) return ["running", `${running} of ${total} running`, all];
  if (total) return ["ok", `${passed} of ${total} passed`, all];
  return ["quiet", "No checks", all];
}

/** Who has decided what: { approved, changes, waiting }, lists of names. */
export function reviewsOf({ reviews = [], requested_reviewers: requested = [] }) {
  const who = (state) => reviews.filter((one) => one.state === state).map((one) => one.reviewer);
  return { approved: who("approved"), changes: who("changes_requested"), waiting: requested };
}

const WHY = {
  no_review: (span) => `Nobody has reviewed it for ${span}`,
  changes_requested: (span) => `Changes were asked for ${span} ago, and nothing came since`,
  idle: (span) => `Nothing has happened for ${span}`,
};

/** Say why one is stale, as the figures tell it. */
export const staleWords = ({ why, idle_s: idle }) => (WHY[why] ?? WHY.idle)(formatSpan(idle));

/** Those that are stale, by key. */
export const staleIn = (metrics) => new Map((metrics?.stale ?? []).map((one) => [keyOf(one), one]));

/** How large it is, in words. */
export function sizeOf({ changed_files: files, commits }) {
  return [typeof files === "number" && plural(files, "file"), typeof commits === "number" && plural(commits, "commit")].filter(Boolean).join(", ");
}

/** What the address asks for; what is malformed in it is left out. */
export function wished(query) {
  const first = (name) => query[name]?.[0]?.trim() ?? "";
  const among = (name, known) => (Object.hasOwn(known, first(name)) ? first(name) : "");
  return {
    repository: first("repository"),
    status: (query.status ?? []).filter((status) => Object.hasOwn(STATUSES, status)),
    risk: among("risk", RISKS),
    author: first("author"),
    reviewer: first("reviewer"),
    q: first("q"),
    draft: first("draft") === "true",
  };
}

/** Whether anything is asked for besides everything. */
export const isNarrowed = ({ status, ...rest }) => status.length > 0 || Object.values(rest).some(Boolean);

/** What the server is asked, for the open ones or those that are done; null for none of them. */
export function askedOf(wish, state) {
  const status = wish.status.filter((one) => STATES[state].includes(one));
  if (wish.status.length && !status.length) return null;
  return { ...wish, status, state, draft: wish.draft && "true" };
}

/** Return a function that tells whether a pull request, as it is now, is wanted. */
export function matcherOf({ repository, status, risk, author, reviewer, q, draft }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = [
    repository && ((pull) => same(pull.repository_name, repository)),
    status.length && ((pull) => status.includes(pull.status)),
    risk && ((pull) => riskOf(pull) === risk),
    author && ((pull) => same(pull.author, author)),
    reviewer && ((pull) => namesOf(pull).some((name) => same(name, reviewer))),
    draft && ((pull) => pull.is_draft),
    words.length && ((pull) => holds(textOf(pull), words)),
  ].filter(Boolean);
  return (pull) => tests.every((test) => test(pull));
}

const same = (a, b) => (a ?? "").toLowerCase() === b.toLowerCase();
const holds = (text, words) => words.every((word) => text.includes(word));
const namesOf = ({ reviews = [], requested_reviewers: requested = [] }) => [...requested, ...reviews.map((one) => one.reviewer)];
const textOf = (pull) =>
  [`${pull.repository_name}#${pull.pr_number}`, pull.title, pull.description, pull.author, pull.branch_name, ...(pull.labels ?? []).map(({ name }) => name)].join("\n").toLowerCase();
