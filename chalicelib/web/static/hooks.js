// What pages share besides looks: the address as state, polling, time, hotkeys.

import { useEffect, useRef, useState } from "./preact-htm.js";

const ADDRESS = "eventyard:address";

/** The query string as { name: [values] }. */
export function readAddress() {
  const state = {};
  for (const [name, value] of new URLSearchParams(location.search)) (state[name] ??= []).push(value);
  return state;
}

/** The link to this page with some parameters changed; empty ones leave the address. */
export function linkTo(changes) {
  const state = { ...readAddress(), ...changes };
  const parts = Object.entries(state).flatMap(([name, values]) =>
    [values].flat().filter(Boolean).map((value) => `${name}=${readable(value)}`),
  );
  return parts.length ? `?${parts.join("&")}` : location.pathname;
}

export function go(changes, { replace = false } = {}) {
  const link = linkTo(changes);
  if (link === (location.search || location.pathname)) return;
  history[replace ? "replaceState" : "pushState"](null, "", link);
  window.dispatchEvent(new Event(ADDRESS));
}

function readable(value) {
  return encodeURIComponent(value).replace(/%(3A|2C|2F|2A)/g, decodeURIComponent);
}

/** The address as state; changes when someone goes back, forward, or calls go(). */
export function useAddress() {
  const [state, setState] = useState(readAddress);
  useWindow("popstate", () => setState(readAddress()));
  useWindow(ADDRESS, () => setState(readAddress()));
  return state;
}

/** Call the latest `handler` for an event of the window. */
export function useWindow(name, handler) {
  const latest = useLatest(handler);
  useEffect(() => {
    const listen = (event) => latest.current(event);
    window.addEventListener(name, listen);
    return () => window.removeEventListener(name, listen);
  }, [name]);
}

export function useLatest(value) {
  const ref = useRef(value);
  ref.current = value;
  return ref;
}

/** Ask now, every `ms` while the page is seen, and on demand: { data, error, at, refresh }. */
export function usePoll(ask, ms, enabled = true) {
  const [answer, setAnswer] = useState({ data: null, error: null, at: 0 });
  const busy = useRef(false);
  const refresh = useLatest(async () => {
    if (busy.current) return;
    busy.current = true;
    setAnswer(await settle(ask));
    busy.current = false;
  });
  useEffect(() => {
    if (!enabled) return undefined;
    refresh.current();
    const timer = setInterval(() => document.hidden || refresh.current(), ms);
    return () => clearInterval(timer);
  }, [enabled, ms]);
  useWindow("eventyard:key", () => enabled && refresh.current());
  return { ...answer, refresh: () => refresh.current() };
}

function settle(ask) {
  return ask().then(
    (data) => (before) => ({ ...before, data, error: null, at: Date.now() }),
    (error) => (before) => ({ ...before, error }),
  );
}

/** Ask once per `key`: { data, error, retry }. */
export function useAsk(ask, key) {
  const [answer, setAnswer] = useState({ data: null, error: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    setAnswer({ data: null, error: null });
    settle(ask).then((change) => current && setAnswer(change));
    return () => (current = false);
  }, [key, round]);
  return { ...answer, retry: () => setRound(round + 1) };
}

const clocks = new Set();
setInterval(() => document.hidden || clocks.forEach((tick) => tick(Date.now())), 1000);

/** The time, renewed every second. */
export function useNow() {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    clocks.add(setNow);
    return () => clocks.delete(setNow);
  }, []);
  return now;
}

/** Tell whether a media query holds. */
export function useMedia(query) {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const listen = () => setMatches(list.matches);
    list.addEventListener("change", listen);
    return () => list.removeEventListener("change", listen);
  }, [query]);
  return matches;
}

/** Call `keys[event.key]` unless someone is typing or a modal dialog is open. */
export function useHotkeys(keys) {
  useWindow("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!Object.hasOwn(keys, event.key) || document.querySelector("dialog[open]")) return;
    if (event.key !== "Escape" && isTyping(event.target)) return;
    if (keys[event.key](event) !== false) event.preventDefault();
  });
}

function isTyping(target) {
  return target.matches?.("input, textarea, select, [contenteditable]");
}
