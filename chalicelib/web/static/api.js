// The server, by fetch: errors in one shape, time-outs, the API key.

const TIMEOUT_MS = 10_000;
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
  403: "This key may not do that. Use one with the right scope.",
  404: "It may have passed out of the log's retention, or the address is mistyped.",
  413: "Make the payload smaller, or store it elsewhere and publish a link to it.",
  429: "Wait a moment, then try again.",
};

/** Say what the reader can do about an error. */
export function hintFor(error) {
  if (error.code === "unreachable") return "Check that Eventyard is running (make run) and that you are online.";
  if (error.code === "timeout") return "Try again; if it stays slow, look at the health checks.";
  if (HINTS[error.status]) return HINTS[error.status];
  if (error.status >= 500) return "Try again; if it stays, look at the server's log.";
  return error.details?.field ? `Correct the field ${error.details.field}, then try again.` : "Correct it, then try again.";
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
export const getQueues = () => request("api/v1/queues");
export const getEvent = (id) => request(`api/v1/events/${encodeURIComponent(id)}`);
export const publish = (draft) => request("api/v1/events", { method: "POST", body: draft });
export const getDeadLetters = (queue) => request(`api/v1/queues/${encodeURIComponent(queue)}/dead-letters?limit=20`);
export const getTicket = () => request("api/v1/tickets", { method: "POST" });
export const redrive = (queue) => request(`api/v1/queues/${encodeURIComponent(queue)}/redrive`, { method: "POST" });

/** Ask for the health; a 503 that names its checks is an answer, not an error. */
export function getHealth() {
  return request("health", { accepts: (status, body) => status === 503 && body?.checks });
}

/** Ask for one page of the log, newest first. */
export function getEvents({ topics, filters, limit, cursor }) {
  const query = new URLSearchParams({ limit: String(limit) });
  if (topics.length) query.set("topics", topics.join(","));
  for (const filter of filters) query.append("filter", filter);
  if (cursor) query.set("cursor", cursor);
  return request(`api/v1/events?${query}`);
}

async function request(path, { method = "GET", body, accepts = () => false } = {}) {
  const response = await send(path, method, body);
  const answer = await readJson(response);
  if (response.ok || accepts(response.status, answer)) return answer;
  if (response.status === 401) window.dispatchEvent(new Event("eventyard:unauthorized"));
  throw errorFrom(response, answer);
}

async function send(path, method, body) {
  const init = { method, headers: headersFor(body), signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) init.body = JSON.stringify(body);
  try {
    return await fetch(path, init);
  } catch (error) {
    throw failedToReach(error);
  }
}

function headersFor(body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (apiKey.get()) headers.Authorization = `Bearer ${apiKey.get()}`;
  return headers;
}

async function readJson(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "TimeoutError") throw failedToReach(error);
    if (!response.ok) return null;
    throw new ApiError("not_json", "The server answered with something that is not JSON.", { status: response.status });
  }
}

function failedToReach(error) {
  if (error.name === "TimeoutError") {
    return new ApiError("timeout", `The server did not answer within ${TIMEOUT_MS / 1000} seconds.`);
  }
  return new ApiError("unreachable", "The server cannot be reached.");
}

function errorFrom(response, answer) {
  const { status } = response;
  const { code, message, details } = answer?.error ?? {};
  const text = message ?? answer?.message ?? `The server answered ${status} ${response.statusText}`.trim();
  return new ApiError(code ?? `http_${status}`, String(text), { status, details: details ?? {} });
}
