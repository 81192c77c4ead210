// What surrounds every page: the rail, the connection mark, the theme, the dialogs.

import { html, useEffect, useState } from "./preact-htm.js";
import { apiKey } from "./api.js";
import { ROOT, goTo, useHotkeys, useWindow } from "./hooks.js";
import { Badge, Dialog, Icon, IconButton, Toasts, exactTime, formatCount } from "./ui.js";

// One line for each page: its path, its name, its icon, the letter after `g`, and what
// loads it; one that loads nothing is a document of its own.
export const PAGES = [
  { path: "", name: "Overview", icon: "overview", key: "o", load: () => import("./overview.js") },
  { path: "events", name: "Events", icon: "events", key: "e", load: () => import("./events.js") },
  { path: "flow", name: "Flow", icon: "flow", key: "f", load: () => import("./flow.js") },
  { path: "pulls", name: "Pull requests", icon: "pulls", key: "p", load: () => import("./pulls.js") },
  { path: "jobs", name: "Jobs", icon: "jobs", key: "j", load: () => import("./jobs.js") },
  { path: "circles", name: "Circles", icon: "circles", key: "c", load: () => import("./circles.js") },
  { path: "memories", name: "Memories", icon: "memories", key: "m", load: () => import("./memories.js") },
  { path: "subscriptions", name: "Subscriptions", icon: "subscriptions", key: "s", load: () => import("./subscriptions.js") },
  { path: "dead-letters", name: "Dead letters", icon: "dead", key: "d", load: () => import("./deadletters.js") },
  { path: "replays", name: "Replays", icon: "replays", key: "r", load: () => import("./replays.js") },
  { path: "docs", name: "API", icon: "api", key: "a" },
];

const THEMES = ["auto", "light", "dark"];
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };
const GO_MS = 1_000;

const SHORTCUTS = [
  ["/", "Search: go to the filter"],
  ["↑ ↓", "Walk the table; with ← → the board, and on Flow the picture"],
  ["Enter", "Open the row"],
  ["+ − 0", "On Flow: nearer, farther, the whole picture"],
  ["p", "Pause or resume the feed"],
  ["n", "Publish an event; on other pages: new"],
  ["Esc", "Close what is open"],
  ["?", "This list"],
  ...PAGES.map(({ key, name }) => [`g ${key}`, `Go to ${name}`]),
];

/** The frame of a page: `current` is its path, `live` the status of its connection, `dead` how many letters wait. */
export function Shell({ current, live, config, dead, children }) {
  const [dialog, setDialog] = useState(null);
  const [declined, decline] = useState(false);
  const close = () => setDialog(null);
  useWindow("eventyard:unauthorized", () => declined || setDialog("key"));
  useHotkeys({ "?": () => setDialog("shortcuts"), ...useGo() });
  return html`<div class="shell">
    <a class="skip" href="#main">Skip to the content</a>
    <nav class="rail" aria-label="Pages">
      <a class="brand" href=${ROOT}><img src="${ROOT}static/favicon.svg" alt="" width="22" height="22" /><span>Eventyard</span></a>
      <ul class="pages">${PAGES.map((page) => html`<${PageLink} ...${page} current=${current} count=${page.path === "dead-letters" ? dead : 0} />`)}</ul>
      <div class="rail-foot">
        <${Connection} live=${live} />
        <div class="rail-tools">
          <${ThemeSwitch} />
          ${config?.auth === "keys" && html`<${IconButton} icon="key" label="API key" onClick=${() => setDialog("key")} />`}
          <button type="button" class="icon-button" aria-label="Keyboard shortcuts (?)" title="Keyboard shortcuts (?)" onClick=${() => setDialog("shortcuts")}>?</button>
        </div>
        ${config && html`<p class="muted version">v${config.version} · ${config.stage}${config.auth === "open" && html` · <span title="Anyone who reaches this address may read and publish (EVENTYARD_AUTH=open).">open</span>`}</p>`}
      </div>
    </nav>
    ${children}
    <${Toasts} />
    ${dialog === "shortcuts" && html`<${Shortcuts} onClose=${close} />`}
    ${dialog === "key" && html`<${KeyDialog} onClose=${() => (decline(true), close())} onKey=${() => (decline(false), close())} />`}
  </div>`;
}

const PageLink = ({ path, name, icon, current, count }) =>
  html`<li><a href=${ROOT + path} title=${name} aria-current=${path === current ? "page" : null}><${Icon} name=${icon} /><span class="name">${name}</span>
    ${count > 0 && html`<span class="rail-count" title="${formatCount(count)} waiting">${count > 99 ? "99+" : count}</span>`}</a></li>`;

// `g`, then a letter, goes to a page.
function useGo() {
  const [armed, arm] = useState(false);
  useEffect(() => {
    const timer = armed && setTimeout(() => arm(false), GO_MS);
    return () => clearTimeout(timer);
  }, [armed]);
  if (!armed) return { g: () => arm(true) };
  return Object.fromEntries(PAGES.map((page) => [page.key, () => visit(page)]));
}

const visit = ({ path, load }) => (load ? goTo(ROOT + path) : location.assign(ROOT + path));

const KINDS = { live: "ok", connecting: "quiet", reconnecting: "warning", offline: "failed" };

function Connection({ live }) {
  const since = exactTime(live.since);
  const clock = new Date(live.since).toLocaleTimeString("en-GB");
  const words = { live: "Live", connecting: "Connecting", reconnecting: "Reconnecting", offline: `Offline since ${clock}` };
  return html`<p class="connection" role="status" title="${words[live.state]}, since ${since}">
    <${Badge} kind=${KINDS[live.state]}>${words[live.state]}<//>
  </p>`;
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(() => document.documentElement.dataset.theme ?? "auto");
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const choose = () => {
    remember(next);
    setTheme(next);
  };
  return html`<${IconButton} icon=${THEME_ICONS[theme]} label="Theme: ${theme}. Switch to ${next}" onClick=${choose} />`;
}

function remember(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("eventyard.theme", theme);
  } catch {
    // Storage may be switched off: it holds for this page then.
  }
}

const Shortcuts = ({ onClose }) =>
  html`<${Dialog} title="Keyboard shortcuts" onClose=${onClose}>
    <dl class="shortcuts">${SHORTCUTS.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
  <//>`;

// Asks again only when a key that was given turns out wrong: who declines may look on.
function KeyDialog({ onClose, onKey }) {
  const [key, setKey] = useState(apiKey.get());
  const save = (event) => {
    event.preventDefault();
    onKey();
    apiKey.set(key.trim());
  };
  return html`<${Dialog} title="API key" onClose=${onClose}>
    <form onSubmit=${save}>
      <p>${apiKey.get() ? "The key given before may be wrong or expired." : "This Eventyard asks for a key."} It is kept for this tab only, until you close it.</p>
      <div class="field">
        <label for="api-key">API key</label>
        <input id="api-key" class="mono" type="password" autocomplete="off" spellcheck=${false} autofocus required
          value=${key} onInput=${(event) => setKey(event.target.value)} />
      </div>
      <footer class="dialog-foot"><button type="submit" class="button primary">Use this key</button></footer>
    </form>
  <//>`;
}
