// The live connection: comes back by itself, resumes from its cursor, drops repeats.

import { apiKey, getTicket } from "./api.js";

const PING_MS = 25_000;
const SILENCE_MS = 10_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const OFFLINE_AFTER_MS = 10_000;
const REMEMBERED = 5_000;
const LABELS = ["source_agent_id", "circle_id", "project_id"];

/** The event in a dashboard message, in the shape that the log answers with. */
export function eventFrom(message) {
  const { event_id: id, data, ...rest } = message;
  for (const label of LABELS) delete rest[label]; // They are in `attributes` when set.
  return { id, payload: data, ...rest };
}

/**
 * What is said on a channel: `hello(message)` is what a greeting tells, `item(message)`
 * what another message brings, as { key, cursor, value }; either is null for the rest.
 */
export const DASHBOARD = {
  name: "dashboard",
  hello: ({ type, data }) => (type === "connection.established" ? (data ?? {}) : null),
  item: (message) =>
    message.event_id ? { key: `${message.event_id}|${message.source ?? ""}`, cursor: message.cursor, value: eventFrom(message) } : null,
};

export const PULLS = {
  name: "pulls",
  hello: ({ event, data }) => (event === "hello" ? (data ?? {}) : null),
  item: ({ event, data }) =>
    event === "pr_update" && data ? { key: `${data.repository_name}#${data.pr_number} ${data.revision}`, cursor: data.cursor, value: data } : null,
};

// What happens to jobs is said under several names: these are the ones of every service.
export const JOBS = {
  name: "jobs",
  hello: ({ event, data }) => (event === "hello" ? (data ?? {}) : null),
  item: ({ event, data, ...rest }) => {
    if (!data?.job_id || !String(event).startsWith("service_job_")) return null;
    const cursor = data.cursor ?? rest.cursor;
    return { key: `${data.job_id} ${event} ${data.revision ?? cursor ?? `${data.status} ${data.progress}`}`, cursor, value: data };
  },
};

/**
 * One socket of a channel.
 *
 * Calls `onItems(values)` oldest first, `onStatus({state, since})` and `onHello(data)`.
 */
export class Live {
  constructor({ channel, liveUrl, onItems, onStatus, onHello }) {
    Object.assign(this, { channel, liveUrl, onItems, onStatus, onHello });
    this.clientId = `page-${randomHex()}`;
    this.seen = new Set();
    this.round = 0;
    this.status = { state: "connecting", since: Date.now() };
    this.ending = new AbortController();
    const { signal } = this.ending;
    window.addEventListener("online", () => this.wake(), { signal });
    window.addEventListener("offline", () => this.drop(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.wake(), { signal });
  }

  /**
   * Listen to what `wish` asks for, a query of the channel's, from now on; with a cursor
   * what came after it is sent first.
   */
  start(wish, cursor = null) {
    this.wish = wish;
    this.cursor = cursor;
    this.restart();
  }

  /** Listen no more. */
  end() {
    this.ending.abort();
    this.close();
  }

  restart() {
    this.attempt = 0;
    this.close();
    this.connect();
  }

  async connect() {
    clearTimeout(this.retry);
    const round = ++this.round;
    const ticket = await this.ticket(round);
    if (round !== this.round) return; // Another attempt has overtaken this one.
    const socket = new WebSocket(this.address(ticket));
    this.socket = socket;
    socket.onopen = () => this.opened();
    socket.onmessage = (message) => this.received(message.data);
    socket.onclose = () => socket === this.socket && this.lost();
  }

  // A key must not stand in an address, where logs keep it: a ticket works once.
  async ticket(round) {
    try {
      return apiKey.get() && (await getTicket()).ticket;
    } catch {
      if (round === this.round) this.lost();
      return "";
    }
  }

  // Back from sleep or from another tab: a dead socket shows itself by a ping.
  wake() {
    if (!this.socket) this.connect();
    else if (this.socket.readyState === WebSocket.OPEN) this.ping();
  }

  address(ticket) {
    const query = new URLSearchParams({ ...this.wish, client_id: this.clientId, frames: "batch" });
    if (this.cursor) query.set("cursor", this.cursor);
    if (ticket) query.set("ticket", ticket);
    if (this.liveUrl) return `${this.liveUrl}?channel=${this.channel.name}&${query}`;
    return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/${this.channel.name}?${query}`;
  }

  opened() {
    this.setState("live");
    this.pinger = setInterval(() => this.ping(), PING_MS);
  }

  ping() {
    this.socket.send('{"type":"ping"}');
    this.watchdog ??= setTimeout(() => this.drop(), SILENCE_MS);
  }

  received(text) {
    clearTimeout(this.watchdog);
    this.watchdog = null;
    const values = [];
    for (const message of messagesIn(text)) this.sort(message, values);
    if (values.length) this.onItems(values);
  }

  sort(message, values) {
    const item = this.channel.item(message);
    const hello = item ? null : this.channel.hello(message);
    if (item && this.isNew(item)) values.push(item.value);
    if (hello) this.greeted(hello);
  }

  // A cursor that is too old for what was missed is no use a second time.
  greeted(hello) {
    this.attempt = 0;
    if (hello.recovered === false) this.cursor = null;
    this.cursor ??= hello.cursor ?? null;
    this.onHello(hello);
  }

  isNew({ key, cursor }) {
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value);
    if (cursor && !(cursor <= this.cursor)) this.cursor = cursor;
    return true;
  }

  /** Give the socket up as dead, without waiting for it to notice. */
  drop() {
    if (!this.socket) return;
    this.close();
    this.lost();
  }

  lost() {
    this.close();
    const offline = !navigator.onLine || Date.now() - this.lostSince() > OFFLINE_AFTER_MS;
    this.setState(offline ? "offline" : "reconnecting");
    this.retry = setTimeout(() => this.connect(), jittered(this.attempt++));
  }

  close() {
    this.round += 1;
    clearInterval(this.pinger);
    clearTimeout(this.watchdog);
    clearTimeout(this.retry);
    this.watchdog = null;
    const socket = this.socket;
    this.socket = null;
    if (socket) letGo(socket);
  }

  lostSince() {
    return this.status.state === "live" ? Date.now() : this.status.since;
  }

  setState(state) {
    const since = state === "live" ? Date.now() : this.lostSince();
    this.status = { state, since };
    this.onStatus(this.status);
  }
}

// A socket closed before it opened is a console error: let it open first.
function letGo(socket) {
  socket.onmessage = socket.onclose = null;
  socket.onopen = () => socket.close();
  if (socket.readyState !== WebSocket.CONNECTING) socket.close();
}

function messagesIn(text) {
  try {
    return [JSON.parse(text)].flat().filter((message) => message !== null && typeof message === "object");
  } catch {
    return [];
  }
}

// Full jitter: many pages that lost one server do not come back at one moment.
function jittered(attempt) {
  return Math.random() * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
}

function randomHex() {
  return [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
