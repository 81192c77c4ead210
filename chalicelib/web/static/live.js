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
 * One socket for a list of topics.
 *
 * Calls `onEvents(events)` oldest first, `onStatus({state, since})` and `onHello(data)`.
 */
export class Live {
  constructor({ liveUrl, onEvents, onStatus, onHello }) {
    Object.assign(this, { liveUrl, onEvents, onStatus, onHello });
    this.clientId = `page-${randomHex()}`;
    this.seen = new Set();
    this.round = 0;
    this.status = { state: "connecting", since: Date.now() };
    window.addEventListener("online", () => this.wake());
    window.addEventListener("offline", () => this.drop());
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
  }

  /** Listen to these topics from now on; what was missed before is not asked for. */
  start(topics) {
    this.topics = topics;
    this.cursor = null;
    this.restart();
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
    const query = new URLSearchParams({ events: this.topics.join(",") || "*", client_id: this.clientId, frames: "batch" });
    if (this.cursor) query.set("cursor", this.cursor);
    if (ticket) query.set("ticket", ticket);
    if (this.liveUrl) return `${this.liveUrl}?channel=dashboard&${query}`;
    return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/dashboard?${query}`;
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
    const events = [];
    for (const message of messagesIn(text)) this.sort(message, events);
    if (events.length) this.onEvents(events);
  }

  sort(message, events) {
    if (message.event_id) {
      if (this.isNew(message)) events.push(eventFrom(message));
    } else if (message.type === "connection.established") {
      this.greeted(message.data ?? {});
    }
  }

  greeted(hello) {
    this.attempt = 0;
    this.cursor ??= hello.cursor ?? null;
    this.onHello(hello);
  }

  isNew({ event_id: id, source, cursor }) {
    const key = `${id}|${source ?? ""}`;
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
    const message = JSON.parse(text);
    return Array.isArray(message) ? message : [message];
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
