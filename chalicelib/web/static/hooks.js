// What pages share besides looks: the address as state, polling, time, hotkeys.

import { useEffect, useLayoutEffect, useRef, useState } from "./preact-htm.js";

const ADDRESS = "eventyard:address";
const CHANGED_MS = 400;

/** Where the site begins: gateways put a stage before every path. */
export const ROOT = new URL("../", import.meta.url).pathname;

const pathHere = () => location.pathname.slice(ROOT.length);

/** Which page this is, and whose details are open: { page, id }. */
export function readPlace(path = pathHere()) {
  const [page, ...rest] = path.split("/");
  return { page, id: decoded(rest.join("/")) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The query string as { name: [values] }. */
export function readAddress() {
  const state = {};
  for (const [name, value] of new URLSearchParams(location.search)) (state[name] ??= []).push(value);
  return state;
}

/** The link to a page, `events` or `events/evt_1`, with parameters of its own. */
export function pageLink(path, query = {}) {
  const parts = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().filter(Boolean).map((value) => `${name}=${readable(value)}`),
  );
  return `${ROOT}${path}${parts.length ? `?${parts.join("&")}` : ""}`;
}

/** The path of what is open on a page; an id of several steps is a list. */
export const pathOf = (page, id) => [page, ...[id || []].flat().map(encodeURIComponent)].join("/");

/** The link to this page with some parameters changed; empty ones leave the address. */
export const linkTo = (changes, path = pathHere()) => pageLink(path, { ...readAddress(), ...changes });

export const go = (changes, { replace = false, path } = {}) => goTo(linkTo(changes, path), { replace });

/** Go to a link of this site without loading the document again. */
export function goTo(link, { replace = false } = {}) {
  if (link === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", link);
  window.dispatchEvent(new Event(ADDRESS));
}

function readable(value) {
  return encodeURIComponent(value).replace(/%(3A|2C|2F|2A)/g, decodeURIComponent);
}

/** The address as state: { page, id, query }; changes when someone goes anywhere. */
export function usePlace() {
  const read = () => ({ ...readPlace(), query: readAddress() });
  const [state, setState] = useState(read);
  useWindow("popstate", () => setState(read()));
  useWindow(ADDRESS, () => setState(read()));
  return state;
}

/**
 * Opens what has its own address beside a page, and closes it: { byKey, open, close }.
 *
 * `closed` are the parameters that then leave the address, `path` the page's own. The
 * focus goes back to where it was; that is not in the address.
 */
export function useDrawer(closed, path) {
  const opener = useRef(null);
  const [byKey, setByKey] = useState(false);
  const open = (what, { withKey = false, id } = {}) => {
    opener.current = document.activeElement;
    setByKey(withKey);
    go({ ...closed, ...what }, { path: path && pathOf(path, id) });
  };
  const close = () => {
    go(closed, { path });
    const back = opener.current;
    if (back?.isConnected && (byKey || !back.matches("tr"))) back.focus({ preventScroll: true });
    else document.activeElement?.blur();
  };
  return { byKey, open, close };
}

/** Esc closes the drawer when one is open; else it leaves whatever has the focus. */
export const escaping = (isOpen, close) => () => (isOpen ? close() : document.activeElement?.blur());

/** Put the focus into a table, unless something else has it. */
export function enterTable(box) {
  const row = box?.querySelector("tr[tabindex='0']");
  if (!row || (document.activeElement && document.activeElement !== document.body)) return false;
  return row.focus({ preventScroll: true });
}

/** Call the latest `handler` for an event of the window. */
export function useWindow(name, handler) {
  const latest = useLatest(handler);
  // Before the page is painted: whoever sees it may press a key.
  useLayoutEffect(() => {
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
  const latest = useLatest(ask);
  const busy = useRef(null);
  const again = useRef(false);
  const round = async () => {
    do {
      again.current = false;
      setAnswer(await settle(latest.current));
    } while (again.current);
  };
  // Whoever asks while an answer is under way wants one from after their asking.
  const refresh = useLatest(() => {
    again.current = Boolean(busy.current);
    busy.current ??= round().finally(() => (busy.current = null));
    return busy.current;
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

/**
 * A list by pages, kept fresh: { rows, first, more, error, refresh, loadMore, busy }.
 *
 * `ask(cursor)` answers with a page; `rowsOf(page)` are its rows. A refresh asks for as
 * many pages as are shown and changes them at once, so that nothing jumps.
 */
export function usePages(ask, rowsOf, { ms = 5_000, key = "" } = {}) {
  const pages = useRef(1);
  const [busy, setBusy] = useState(false);
  const walk = async () => {
    const found = [];
    for (let cursor = null; found.length < pages.current; cursor = found.at(-1).cursor) {
      found.push(await ask(cursor));
      if (!found.at(-1).cursor) break;
    }
    return { key, found };
  };
  const poll = usePoll(walk, ms);
  const asked = useRef(key);
  useEffect(() => {
    if (asked.current === key) return;
    asked.current = key;
    pages.current = 1;
    poll.refresh();
  }, [key]);
  useChanges(poll.refresh);
  const loadMore = async () => {
    pages.current += 1;
    setBusy(true);
    await poll.refresh();
    setBusy(false);
  };
  const found = poll.data?.key === key ? poll.data.found : null;
  const rows = found && found.flatMap(rowsOf);
  return { ...poll, rows, first: found?.[0] ?? null, more: Boolean(found?.at(-1).cursor), busy, loadMore };
}

/** Call `refresh` soon after somebody changed something: the platform's own events say so. */
export function useChanges(refresh) {
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  useWindow("eventyard:told", () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(refresh, CHANGED_MS);
  });
}

/** Call `act` some `ms` after `changes` has changed, at most once in that time. */
export function useSoon(changes, act, ms) {
  const timer = useRef(null);
  const latest = useLatest(act);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (!changes) return;
    timer.current ??= setTimeout(() => {
      timer.current = null;
      latest.current();
    }, ms);
  }, [changes]);
}

/** Do something that may fail, once at a time: { busy, error, run, clear }. */
export function useAct() {
  const [state, setState] = useState({ busy: false, error: null });
  const run = async (act) => {
    if (state.busy) return undefined;
    setState({ busy: true, error: null });
    try {
      const answer = await act();
      setState({ busy: false, error: null });
      return answer;
    } catch (error) {
      setState({ busy: false, error });
      return undefined;
    }
  };
  return { ...state, run, clear: () => setState({ busy: false, error: null }) };
}

const clocks = new Set();
setInterval(() => document.hidden || clocks.forEach((tick) => tick(Date.now())), 1000);

/** The time, renewed every second, or less often. */
export function useNow(every = 1_000) {
  const [, setRound] = useState(() => Math.floor(Date.now() / every));
  useEffect(() => {
    const tick = (now) => setRound(Math.floor(now / every));
    clocks.add(tick);
    return () => clocks.delete(tick);
  }, [every]);
  return Date.now();
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
