// The small parts that every page is made of. Whatever a stranger wrote becomes text
// nodes here, never markup.

import { html, useEffect, useErrorBoundary, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { hintFor } from "./api.js";
import { useNow } from "./hooks.js";

const COPIED_MS = 1_500;
const TOAST_MS = 5_000;
const SAVED_MS = 10_000;
const HALF_MINUTE = 30_000;
const counts = new Intl.NumberFormat("en-GB");
const compact = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });

export const formatCount = (value) => (value > 999_999 ? compact : counts).format(value);
export const plural = (count, noun) => `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;

const ICONS = {
  overview: "M2 2h5v5H2zM9 2h5v3H9zM9 7h5v7H9zM2 9h5v5H2z",
  events: "M2 3.5h1M5.5 3.5H14M2 8h1M5.5 8H14M2 12.5h1M5.5 12.5H14",
  flow: "M3.5 6a2 2 0 1 0 .1 0zM12.5 2a2 2 0 1 0 .1 0zM12.5 10a2 2 0 1 0 .1 0zM5.4 7.2l5.2-2.4M5.4 8.8l5.2 2.4",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  subscriptions: "M3 13a.6.6 0 1 0 .1 0zM2.5 8.5a5 5 0 0 1 5 5M2.5 4a9.5 9.5 0 0 1 9.5 9.5",
  dead: "M2 9.5 4 3h8l2 6.5V13H2zM2 9.5h3.5l1 1.5h3l1-1.5H14",
  pulls: "M4 2.5a1.7 1.7 0 1 0 .1 0zM4 10.1a1.7 1.7 0 1 0 .1 0zM12 10.1a1.7 1.7 0 1 0 .1 0zM4 5.9v4.2M12 10.1V6a2 2 0 0 0-2-2H7.5M9.3 2.2 7.5 4l1.8 1.8",
  jobs: "M2.5 5.5h11v8h-11zM5.5 5.5v-3h5v3M2.5 9.5h11",
  circles: "M8 2a2 2 0 1 0 .1 0zM3.6 9.6a2 2 0 1 0 .1 0zM12.4 9.6a2 2 0 1 0 .1 0zM6.7 5.6 4.7 9.5M9.3 5.6l2 3.9M5.7 11.6h4.6",
  memories: "M8 3.5a2.5 2.5 0 0 0-5 .5v8a2.5 2.5 0 0 0 5 .5zM8 3.5a2.5 2.5 0 0 1 5 .5v8a2.5 2.5 0 0 1-5 .5M5 7h3M8 9.5h3",
  board: "M2.5 2.5h3v11h-3zM6.5 2.5h3v7h-3zM10.5 2.5h3v9h-3z",
  table: "M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.7h11M6.5 3v10",
  link: "M6.5 3.5h-3v9h9v-3M9.5 2.5h4v4M13.2 2.8 7.5 8.5",
  replays: "M3 8a5 5 0 1 0 1.6-3.7M3 2.5v3h3M8 5.5V8l2 1.5",
  plus: "M8 3v10M3 8h10",
  api: "M5.5 4 1.5 8l4 4M10.5 4l4 4-4 4M9 2.5 7 13.5",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.5 8z",
  up: "M8 13V3M4 7l4-4 4 4",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.4 10.4 14 14",
  filter: "M2 3.5h12M4.5 8h7M6.5 12.5h3",
  warning: "M8 2.5 14.5 13.5h-13zM8 6.5v3.5M8 11.9v.2",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a5.8 5.8 0 1 0 7 7z",
  auto: "M2 3h12v8H2zM6 14h4M8 11v3",
  key: "M5.5 7.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM7.7 8.3 13.5 2.5M11 5l2 2",
  caret: "M6 4l4 4-4 4",
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

/** A state, as a sign and a word: `kind` is ok, running, warning, failed or quiet. */
export const Badge = ({ kind = "quiet", sign = SIGNS[kind], title, children }) =>
  html`<span class="badge ${kind}" title=${title}><span class="sign" aria-hidden="true">${sign}</span>${children}</span>`;

const SIGNS = { ok: "✓", running: "●", warning: "▲", failed: "✕", quiet: "–" };

export function IconButton({ icon, label, ...rest }) {
  return html`<button type="button" class="icon-button" aria-label=${label} title=${label} ...${rest}><${Icon} name=${icon} /></button>`;
}

/** Put a text on the clipboard, also where browsers offer none (plain http). */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "offscreen";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Let the reader keep a file. */
export function saveFile(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVED_MS);
}

// [whether it has just been copied, what copies it].
function useCopy(text) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    const timer = done && setTimeout(() => setDone(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = (event) => {
    event.stopPropagation();
    copyText(typeof text === "function" ? text() : text);
    setDone(true);
  };
  return [done, copy];
}

/** Copies `text`, or what `text()` returns. */
export function CopyButton({ text, label = "Copy", children }) {
  const [done, copy] = useCopy(text);
  const icon = html`<${Icon} name=${done ? "check" : "copy"} />`;
  const said = done ? "Copied" : label;
  if (!children) return html`<button type="button" class="icon-button copy" aria-label=${said} title=${said} onClick=${copy}>${icon}</button>`;
  return html`<button type="button" class="button small" onClick=${copy}>${icon}${done ? "Copied" : children}</button>`;
}

/** A short text that copies itself. */
export function CopyChip({ text }) {
  const [done, copy] = useCopy(text);
  return html`<button type="button" class="copy-chip" title=${done ? "Copied" : "Copy"} aria-label=${done ? `Copied ${text}` : `Copy ${text}`} onClick=${copy}><bdi>${text}</bdi><${Icon} name=${done ? "check" : "copy"} /></button>`;
}

/** An id shortened in the middle, whole on hover, with copy. */
export function Id({ value, keep = 6 }) {
  const text = String(value);
  const short = text.length <= 2 * keep + 3 ? text : `${text.slice(0, keep)}…${text.slice(-keep)}`;
  return html`<span class="id"><code title=${text}>${short}</code><${CopyButton} text=${text} label="Copy id" /></span>`;
}

const STEPS = [
  [60, 1, "s"],
  [3_600, 60, "m"],
  [86_400, 3_600, "h"],
  [Infinity, 86_400, "d"],
];

function ago(seconds) {
  if (seconds < 1) return "now";
  const [, size, unit] = STEPS.find(([below]) => seconds < below);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

/** A moment, relative; exact on hover. */
export function Time({ value, every }) {
  const now = useNow(every);
  const moment = Date.parse(value);
  if (Number.isNaN(moment)) return html`<span>${String(value ?? "")}</span>`;
  const past = (now - moment) / 1000;
  return html`<time datetime=${String(value)} title=${exactTime(moment)}>${past < -1 ? `in ${formatSpan(-past)}` : ago(past)}</time>`;
}

/** A moment that need not be told to the second. */
export const Age = ({ value }) => (value ? html`<${Time} value=${value} every=${HALF_MINUTE} />` : html`<span class="muted">–</span>`);

/** A length of time in its largest unit: 90 is 1.5 m. */
export function formatSpan(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  const [, size, unit] = STEPS.find(([below]) => seconds < below);
  const value = seconds / size;
  return `${formatCount(value < 10 ? Math.round(value * 10) / 10 : Math.round(value))} ${unit}`;
}

export function exactTime(moment) {
  const text = new Date(moment).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 23)} UTC`;
}

/** A page's title, what it is for in one line, and its actions. */
export const PageTitle = ({ title, actions, children }) =>
  html`<header class="title">
    <div><h1>${title}</h1><p class="muted">${children}</p></div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </header>`;

/** One sentence why nothing is here, and what fills it. */
export const EmptyState = ({ title, children }) =>
  html`<section class="empty"><h3>${title}</h3>${children}</section>`;

/** A command to copy. */
export const Command = ({ text }) =>
  html`<div class="command"><pre tabindex="0" aria-label="Command">${text}</pre><${CopyButton} text=${text} label="Copy command" /></div>`;

/** What went wrong: code, message, what to do, and a way to try again. */
export function ErrorPanel({ error, title, onRetry }) {
  return html`<section class="error-panel" role="alert">
    <${Icon} name="warning" />
    <div>
      <p class="error-title">${title && html`<strong>${title}</strong>`} <code>${error.code ?? "error"}</code></p>
      <p>${error.message}</p>
      <p class="muted">${hintFor(error)}</p>
    </div>
    ${onRetry && html`<button type="button" class="button" onClick=${onRetry}>Retry</button>`}
  </section>`;
}

export const Skeleton = ({ lines = 8 }) =>
  html`<div class="skeleton" role="status" aria-label="Loading">${Array.from({ length: lines }, () => html`<span />`)}</div>`;

/** What only some look at: `load()` brings its module when somebody does. */
export function Late({ load, ...props }) {
  const [{ Part, error }, take] = useState({});
  useEffect(() => void load().then((module) => take({ Part: module.default }), ({ message }) => take({ error: { code: "not_loaded", message } })), []);
  if (error) return html`<${ErrorPanel} title="This part could not be loaded" error=${error} />`;
  return Part ? html`<${Part} ...${props} />` : html`<${Skeleton} lines=${4} />`;
}

/** What is known, by name; what is not is left out. */
export const Facts = ({ facts }) =>
  html`<dl class="about">${facts.filter(([, shown]) => shown).map(([name, shown]) => html`<div><dt>${name}</dt><dd>${shown}</dd></div>`)}</dl>`;

/** The link, when it is one that a stranger may give: https, or what else is named. */
export function safeLink(url, schemes = ["https:"]) {
  try {
    const link = new URL(url);
    return schemes.includes(link.protocol) ? link.href : null;
  } catch {
    return null;
  }
}

/** A link that a stranger gave: text where it leads elsewhere. */
export function OutLink({ url, schemes, children }) {
  const link = safeLink(url, schemes);
  if (!link) return html`<span>${children}</span>`;
  return html`<a href=${link} target="_blank" rel="noopener noreferrer">${children}<${Icon} name="link" /></a>`;
}

/** Says a count to those who cannot see it, at most every few seconds. */
export function Announce({ text, every = 5_000 }) {
  const [said, setSaid] = useState("");
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const timer = setInterval(() => setSaid(latest.current), every);
    return () => clearInterval(timer);
  }, [every]);
  return html`<p class="offscreen" aria-live="polite" role="status">${said}</p>`;
}

/** Details at the right, beside what they belong to. Takes the focus when `focus`. */
export function Drawer({ title, label, onClose, focus, tools, children }) {
  const panel = useRef();
  useLayoutEffect(() => {
    if (focus) (panel.current.querySelector("[autofocus]") ?? panel.current).focus();
  }, [label, focus]);
  return html`<aside class="drawer" aria-label=${label} tabindex="-1" ref=${panel}>
    <header class="drawer-head">
      <h2>${title}</h2>
      <div class="tools">${tools}<${IconButton} icon="close" label="Close (Esc)" onClick=${onClose} /></div>
    </header>
    <div class="drawer-body">${children}</div>
  </aside>`;
}

/** Tabs over panels: [{ id, name, body() }]; left and right move between them. */
export function Tabs({ tabs, chosen, onChoose, label }) {
  const move = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const at = tabs.findIndex((tab) => tab.id === chosen);
    onChoose(tabs[(at + by + tabs.length) % tabs.length].id);
    requestAnimationFrame(() => event.target.closest("[role=tablist]")?.querySelector("[aria-selected=true]")?.focus());
  };
  const tab = ({ id, name }) => html`<button
    type="button" role="tab" id="tab-${id}" aria-selected=${String(id === chosen)} aria-controls="panel-${id}"
    tabindex=${id === chosen ? 0 : -1} onClick=${() => onChoose(id)}>${name}</button>`;
  const open = tabs.find(({ id }) => id === chosen);
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>${tabs.map(tab)}</div>
    <div class="tab-panel" role="tabpanel" id="panel-${open.id}" aria-labelledby="tab-${open.id}">${open.body()}</div>`;
}

/** A modal dialog; the browser keeps the focus in it and closes it on Esc. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${dialog} aria-label=${title} onClose=${onClose}>
    <header class="dialog-head"><h2>${title}</h2><${IconButton} icon="close" label="Close (Esc)" onClick=${onClose} /></header>
    ${children}
  </dialog>`;
}

/** Asks once before something is done, naming it; `destroys` when it cannot be undone. */
export function Confirm({ title, action, destroys, tools, onConfirm, onClose, children }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <div class="dialog-text">${children}</div>
    <footer class="dialog-foot">
      ${tools}
      <button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="button" class="button ${destroys ? "danger" : "primary"}" onClick=${onConfirm}>${action}</button>
    </footer>
  <//>`;
}

/** A secret, shown this once. */
export const Secret = ({ value }) =>
  html`<section class="secret" aria-label="Secret">
    <p><strong>This secret is shown once.</strong> Give it to the receiver now: it signs every request (Standard Webhooks).</p>
    <div class="secret-value"><code>${value}</code><${CopyButton} text=${value} label="Copy secret">Copy<//></div>
  </section>`;

/** A labelled field with its fault under it. */
export function Field({ label, id, hint, fault, children }) {
  return html`<div class="field ${fault ? "faulty" : ""}">
    <label for=${id}>${label}${hint && html` <span class="muted">${hint}</span>`}</label>
    ${children}
    ${fault && html`<p class="fault" id="${id}-fault">${fault}</p>`}
  </div>`;
}

/** Tell something in passing: `kind` as a badge's. */
export function toast(text, kind = "ok") {
  window.dispatchEvent(new CustomEvent("eventyard:toast", { detail: { text, kind } }));
}

export function Toasts() {
  const [toasts, setToasts] = useState([]);
  useEffect(() => {
    const show = ({ detail }) => {
      setToasts((shown) => [...shown.slice(-2), detail]);
      setTimeout(() => setToasts((shown) => shown.filter((one) => one !== detail)), TOAST_MS);
    };
    window.addEventListener("eventyard:toast", show);
    return () => window.removeEventListener("eventyard:toast", show);
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.map(({ text, kind }) => html`<p class="toast"><${Badge} kind=${kind}>${text}<//></p>`)}
  </div>`;
}

/** Keeps a fault in one part from blanking the page. */
export function Guard({ children }) {
  const [error, reset] = useErrorBoundary((fault) => console.error(fault));
  if (!error) return children;
  const shown = { code: "page_error", message: error.message, details: {} };
  return html`<${ErrorPanel} title="This part of the page failed" error=${shown} onRetry=${reset} />`;
}
