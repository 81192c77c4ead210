// The server, by fetch: errors in one shape, time-outs, the API key.

import { ROOT } from "./hooks.js";

const TIMEOUT_MS = 10_000;
const LONG_MS = 35_000;
const NO_CONTENT = 204;
const KEY = "eventyard.key";

/** What went wrong: the server's code and message, or ours when it never answered. */
export class ApiError extends Error {
  constructor(code, message, { status = 0, details = {} } = {}) {
    super(message);
    Object.assign(this, { code, status, details });
  }
}

const HINTS = {
  401: "Give an API key that the server knows; the key mark at the foot of the rail asks for one.",
  404: "It may have passed out of the log's retention, or the address is mistyped.",
  413: "Make the payload smaller, or store it elsewhere and publish a link to it.",
  429: "Wait a moment, then try again.",
};

/** Say what the reader can do about an error. */
export function hintFor(error) {
  if (error.code === "unreachable") return "Check that Eventyard is running (make run) and that you are online.";
  if (error.code === "timeout") return "Try again; if it stays slow, look at the health checks.";
  if (error.status === 403) return scopeHint(error.details ?? {});
  if (HINTS[error.status]) return HINTS[error.status];
  if (error.status >= 500) return "Try again; if it stays, look at the server's log.";
  return error.details?.field ? `Correct the field ${error.details.field}, then try again.` : "Correct it, then try again.";
}

function scopeHint({ scope, topic }) {
  const needed = topic ? `${scope}:${topic}` : scope;
  if (!needed) return "This key may not do that. Use one with the right scope.";
  return `The key in use lacks the scope ${needed}. Make one that has it (make key SCOPES=${needed}) and give it by the key mark at the foot of the rail.`;
}

export const apiKey = {
  get: () => stored(() => sessionStorage.getItem(KEY)) ?? "",
  set(value) {
    stored(() => sessionStorage.setItem(KEY, value));
    window.dispatchEvent(new Event("eventyard:key"));
  },
};

function stored(act) {
  try {
    return act();
  } catch {
    return null; // Storage may be switched off.
  }
}

export const getConfig = () => request("api/v1/config");
export const getStats = () => request("api/v1/stats");
export const getFigures = () => request("api/v1/figures");
/** How much waits for somebody: dead letters of subscriptions and of queues. */
export const givenUp = (stats) => (stats ? stats.dead_letters + stats.undelivered : 0);
export const getQueues = () => request("api/v1/queues");
export const getEvent = (id, source) => request(withQuery(`api/v1/events/${encodeURIComponent(id)}`, { source }));
export const publish = (draft) => request("api/v1/events", { method: "POST", body: draft });
export const getDeadLetters = (queue) => request(`api/v1/queues/${encodeURIComponent(queue)}/dead-letters?limit=20`);
export const getTicket = () => request("api/v1/tickets", { method: "POST" });
export const redrive = (queue) => post(`api/v1/queues/${encodeURIComponent(queue)}/redrive`, undefined, LONG_MS);
export const purgeQueue = (queue) => request(`api/v1/queues/${encodeURIComponent(queue)}/dead-letters`, { method: "DELETE", ms: LONG_MS });

export const getTrace = (id, source) => request(withQuery(`api/v1/events/${encodeURIComponent(id)}/trace`, { source }));
export const tryFilter = (wish) => post("api/v1/filters/test", wish, LONG_MS);

const one = (family, id, verb = "") => `api/v1/${family}/${encodeURIComponent(id)}${verb && `/${verb}`}`;

export const getSubscriptions = (cursor, limit = 100) => request(withQuery("api/v1/subscriptions", { limit, cursor }));
export const getSubscription = (id) => request(one("subscriptions", id));
export const createSubscription = (wish) => post("api/v1/subscriptions", wish);
export const changeSubscription = (id, wish) => request(one("subscriptions", id), { method: "PATCH", body: wish });
export const removeSubscription = (id) => request(one("subscriptions", id), { method: "DELETE" });
export const pauseSubscription = (id, reason) => post(one("subscriptions", id, "pause"), reason ? { reason } : {});
export const resumeSubscription = (id, from) => post(one("subscriptions", id, "resume"), { from });
export const rotateSecret = (id, grace) => post(one("subscriptions", id, "rotate-secret"), { grace_s: grace });
export const testSubscription = (id) => post(one("subscriptions", id, "test"), undefined, LONG_MS);

export const getUndelivered = (subscription, cursor) => request(withQuery("api/v1/dead-letters", { limit: 100, subscription, cursor }));
export const getDeadLetter = (id) => request(one("dead-letters", id));
/** `chosen` is { ids }, { subscription } or { all: true }. */
export const retryDeadLetters = (chosen) => post("api/v1/dead-letters/retry", chosen, LONG_MS);
export const purgeDeadLetters = (chosen) => post("api/v1/dead-letters/purge", { ...chosen, confirm: true }, LONG_MS);

export const getReplays = (cursor) => request(withQuery("api/v1/replays", { limit: 50, cursor }));
export const getReplay = (id) => request(one("replays", id));
export const startReplay = (wish) => post("api/v1/replays", wish, LONG_MS);
export const cancelReplay = (id) => post(one("replays", id, "cancel"));

/** `wish` has what the address of the list knows: state, status, repository, q, ... */
export const getPulls = (wish) => request(withQuery("api/v1/pulls", wish));
/** `place` is [owner, name, number], here and below. */
export const getPull = (place) => request(pullAt(place));
export const getPullHistory = (place, cursor) => request(withQuery(pullAt(place, "/history"), { limit: 50, cursor }));
export const analysePull = (place) => post(pullAt(place, "/analyse"));
export const getPullMetrics = (wish) => request(withQuery("api/v1/pulls/metrics", wish));
export const getRepositories = () => request("api/v1/repositories");
export const getWebhookDeliveries = () => request("api/v1/webhooks/deliveries?limit=5");
export const retryWebhookDelivery = (id) => post(`api/v1/webhooks/deliveries/${encodeURIComponent(id)}/retry`);
const pullAt = (place, verb = "") => `api/v1/pulls/${place.map(encodeURIComponent).join("/")}${verb}`;

/** `wish` is { service, status, limit, cursor }. */
export const getJobs = (wish) => request(withQuery("api/v1/jobs", wish));
export const getJob = async (id) => {
  const told = await request(one("jobs", id));
  return told.job ?? told;
};
export const getWorkers = () => request("api/v1/workers");
/** Each kind of job has addresses of its own, by the name of its service. */
export const getJobStats = (service) => request(serviceAt(service, "stats"));
export const submitJob = (service, wish) => post(serviceAt(service, "submit"), wish);
export const stopJob = (service, id) => request(serviceAt(service, "jobs", id), { method: "DELETE" });
export const resultsAt = (service, id, wish) => withQuery(serviceAt(service, "jobs", id, "results"), wish);
export const getJobResults = (service, id, cursor) => request(resultsAt(service, id, { limit: 100, cursor }));
/** All results as a text, page after page: `format` is csv or jsonl. */
export async function getJobFile(service, id, format) {
  let [text, cursor] = ["", null];
  do {
    const read = (headers) => (cursor = headers.get("Eventyard-Cursor"));
    text += await request(resultsAt(service, id, { format, cursor }), { text: true, ms: LONG_MS, read });
  } while (cursor);
  return text;
}
const serviceAt = (service, ...steps) => ["api", `${service}s`, ...steps].map(encodeURIComponent).join("/");

/** `wish` is { status, project_id, limit, cursor }. */
export const getCircles = (wish) => request(withQuery("api/v1/circles", wish));
export const getCircle = (id) => request(one("circles", id));
export const createCircle = (wish) => post("api/v1/circles", wish);
export const changeCircle = (id, wish) => request(one("circles", id), { method: "PATCH", body: wish });
export const removeCircle = (id) => request(one("circles", id), { method: "DELETE" });
export const getMembers = (id) => request(one("circles", id, "members"));
export const addMember = (id, wish) => post(one("circles", id, "members"), wish);
export const removeMember = (id, agent) => request(withQuery(one("circles", id, "members"), { agent_id: agent }), { method: "DELETE" });
/** `wish` is { status, state, limit, cursor }. */
export const getCircleTasks = (id, wish) => request(withQuery(one("circles", id, "tasks"), wish));
export const createTask = (id, wish) => post(one("circles", id, "tasks"), wish);
export const changeTask = (id, wish) => request(one("tasks", id), { method: "PATCH", body: wish });
export const claimTask = (id, agent) => post(one("tasks", id, "claim"), { agent_id: agent });
export const submitTask = (id, wish) => post(one("tasks", id, "submit"), wish);
export const approveTask = (id, { reviewer_id, comment }) => post(one("tasks", id, "approve"), { reviewer_id, comment });
export const rejectTask = (id, wish) => post(one("tasks", id, "reject"), wish);
export const getConflicts = (id, wish) => request(withQuery(one("circles", id, "conflicts"), wish));
export const resolveConflict = (id, conflict, resolution) => post(one("circles", id, `conflicts/${conflict}/resolve`), { resolution });

/** Ask for the health; a 503 that names its checks is an answer, not an error. */
export function getHealth() {
  return request("health", { accepts: (status, body) => status === 503 && body?.checks });
}

/** Ask for one page of the log, newest first. */
export const getEvents = ({ topics, filters, since, until, limit, cursor }) =>
  request(withQuery("api/v1/events", { limit, topics: topics.join(","), filter: filters, since, until, cursor }));

export function withQuery(path, wish) {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(wish)) {
    for (const value of [values].flat()) if (value) query.append(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

const post = (path, body, ms = TIMEOUT_MS) => request(path, { method: "POST", body, ms });

export async function request(path, { method = "GET", body, ms = TIMEOUT_MS, accepts = () => false, text = false, read } = {}) {
  const response = await send(path, method, body, ms);
  read?.(response.headers);
  if (response.status === NO_CONTENT) return null;
  const answer = text && response.ok ? await response.text() : await readJson(response, ms);
  if (response.ok || accepts(response.status, answer)) return answer;
  if (response.status === 401) window.dispatchEvent(new Event("eventyard:unauthorized"));
  throw errorFrom(response, answer);
}

async function send(path, method, body, ms) {
  const init = { method, headers: headersFor(body), signal: AbortSignal.timeout(ms) };
  if (body !== undefined) init.body = JSON.stringify(body);
  try {
    return await fetch(ROOT + path, init);
  } catch (error) {
    throw failedToReach(error, ms);
  }
}

function headersFor(body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (apiKey.get()) headers.Authorization = `Bearer ${apiKey.get()}`;
  return headers;
}

async function readJson(response, ms) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "TimeoutError") throw failedToReach(error, ms);
    if (!response.ok) return null;
    throw new ApiError("not_json", "The server answered with something that is not JSON.", { status: response.status });
  }
}

function failedToReach(error, ms) {
  if (error.name === "TimeoutError") {
    return new ApiError("timeout", `The server did not answer within ${ms / 1000} seconds.`);
  }
  return new ApiError("unreachable", "The server cannot be reached.");
}

function errorFrom(response, answer) {
  const { status } = response;
  const told = answer?.error;
  const { code, message, details } = typeof told === "string" ? { message: told } : (told ?? {});
  const text = message ?? answer?.message ?? `The server answered ${status} ${response.statusText}`.trim();
  return new ApiError(code ?? `http_${status}`, String(text), { status, details: details ?? {} });
}
