// How the processes do that report (`client.report()`), and how much flows.

import { html, useState } from "./preact-htm.js";
import { getFigures } from "./api.js";
import { useNow, usePoll, useSoon, useWindow } from "./hooks.js";
import { SmallTable } from "./list.js";
import { Age, Badge, CopyButton, ErrorPanel, formatCount, formatSpan, plural } from "./ui.js";

const POLL_MS = 10_000;
const SOON_MS = 1_000;
const LOOK_MS = 5_000;
const MOST_ROWS = 4;
/** So many reports in a row that did not come make a process a silent one. */
const MISSED = 3;
const HOW = "async with client.report(cache=cache): ...";

/** The processes, and over them what the platform published and delivered of late. */
export function Processes() {
  const figures = usePoll(getFigures, POLL_MS);
  const [heard, hear] = useState(0);
  useWindow("eventyard:reported", () => hear((count) => count + 1));
  useSoon(heard, figures.refresh, SOON_MS);
  const now = useNow(LOOK_MS);
  const { data, error, refresh } = figures;
  if (!data && error) return html`<${ErrorPanel} title="The processes could not be read" error=${error} onRetry=${refresh} />`;
  const rows = (data?.processes ?? []).map((one) => rowOf(one, now)).sort(byState);
  if (rows.length) {
    return html`<${SmallTable} title="Processes" hint=${tally(rows)} rows=${rows} most=${MOST_ROWS}
      columns=${COLUMNS} keyOf=${({ key }) => key} classOf=${() => "plain"} onOpen=${() => {}}><${Flow} sums=${data.platform} /><//>`;
  }
  return html`<section class="panel small-list" aria-label="Processes" aria-busy=${data ? null : "true"}>
    <header><h2>Processes</h2><p class="muted">Programs that report how they do.</p><${Flow} sums=${data?.platform} /></header>
    <p class="no-process muted">${data ? html`None reports. In a program: <code>${HOW}</code><${CopyButton} text=${HOW} />` : "…"}</p>
  </section>`;
}

const FLOWS = [
  { name: "Events/min", hint: "Events published a minute, over the last five", of: ({ published_rate: rate }) => shortly(60 * rate) },
  { name: "p95 lag", hint: "Within this time 95 % of what was delivered in the last five minutes arrived", of: ({ p95_lag_ms: lag }) => (lag === null ? "–" : formatSpan(lag / 1000)) },
  { name: "Failed", hint: "Attempts to deliver that failed in the last five minutes", of: ({ errors }) => formatCount(errors), alarms: ({ errors }) => errors > 0 },
];

const Flow = ({ sums }) => html`<dl class="flow-sums" aria-label="The last five minutes">
  ${FLOWS.map(({ name, hint, of, alarms }) => html`<div title=${hint}><dt>${name}</dt><dd>${sums && alarms?.(sums) ? html`<${Alarm}>${of(sums)}<//>` : sums ? of(sums) : "–"}</dd></div>`)}
</dl>`;

const Alarm = ({ children }) => html`<span class="warning"><span class="sign" aria-hidden="true">▲ </span>${children}</span>`;

const shortly = (value) => formatCount(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));

const STATES = { up: ["ok", "Up"], silent: ["warning", "Silent"], ended: ["quiet", "Ended"] };
/** Whom somebody should look at comes first. */
const ORDER = ["silent", "up", "ended"];
const byState = (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name);

// "1 silent, 4 up": all of them may not be in sight.
const tally = (rows) =>
  ORDER.map((state) => [rows.filter((row) => row.state === state).length, STATES[state][1].toLowerCase()])
    .filter(([count]) => count)
    .map(([count, word]) => `${formatCount(count)} ${word}`)
    .join(", ");

// Anybody may publish a report: whatever is not a number is not shown as one.
const number = (value) => (Number.isFinite(value) ? value : null);

function rowOf(told, now) {
  const { process, source, started_at: started, every_s: every, at, ended, cache, bus, telemetry, client } = told;
  const silent = now - Date.parse(at) > MISSED * every * 1000;
  return {
    key: `${process} ${source ?? ""} ${started}`,
    name: process,
    title: `Client ${source ?? "unknown"}, since ${started}, reports every ${every} s`,
    state: ended ? "ended" : silent ? "silent" : "up",
    at,
    cache: cacheOf(cache),
    rate: ended || silent ? null : rateOf(told),
    errors: number(bus?.handler_errors),
    telemetry: typeof telemetry?.enabled === "boolean" ? telemetry.enabled : null,
    pending: number(client?.pending),
  };
}

function cacheOf(cache) {
  if (!cache) return null;
  const [hits, misses, entries] = [number(cache.hits), number(cache.misses), number(cache.local?.entries)];
  return { on: cache.enabled === true, why: String(cache.reason ?? ""), hits, misses, entries, rate: hits || misses ? number(cache.hit_rate) : null };
}

/** Events of the bus a minute, from the last two reports; null where there is one. */
function rateOf({ at, bus, before }) {
  const [now, then] = [number(bus?.events_published), number(before?.bus?.events_published)];
  const seconds = (Date.parse(at) - Date.parse(before?.at)) / 1000;
  return now === null || then === null || !(seconds > 0) || now < then ? null : (60 * (now - then)) / seconds;
}

const Quiet = ({ title, children = "–" }) => html`<span class="muted" title=${title}>${children}</span>`;

const COLUMNS = [
  { name: "State", class: "col-process-state", cell: ({ state }) => html`<${Badge} kind=${STATES[state][0]} title=${state === "silent" ? "Three reports in a row did not come" : null}>${STATES[state][1]}<//>` },
  { name: "Process", class: "col-name", cell: ({ name, title }) => html`<bdi title=${title}>${name}</bdi>` },
  { name: "Cache", class: "col-cache", hint: "How often it found what it was asked for, since the process started", cell: ({ cache }) => html`<${Cache} cache=${cache} />` },
  { name: "Hits, misses", class: "col-hits", cell: ({ cache }) => html`<${Hits} cache=${cache} />` },
  { name: "Bus/min", class: "col-bus number", hint: "Events published on its bus a minute, between the last two reports", cell: ({ rate }) => (rate === null ? html`<${Quiet} />` : shortly(rate)) },
  { name: "Errors", class: "col-errors number", hint: "Handlers that failed, since the process started", cell: ({ errors }) => (errors === null ? html`<${Quiet} />` : errors > 0 ? html`<${Alarm}>${formatCount(errors)}<//>` : "0") },
  { name: "Waiting", class: "col-pending number", hint: "Events that it has not sent yet", cell: ({ pending }) => (pending === null ? html`<${Quiet} />` : formatCount(pending)) },
  { name: "Telemetry", class: "col-telemetry", cell: ({ telemetry: on }) => (on === null ? html`<${Quiet} />` : on ? "on" : html`<${Quiet}>off<//>`) },
  { name: "Heard", class: "col-heard number", cell: ({ at }) => html`<${Age} value=${at} />` },
];

function Cache({ cache }) {
  if (!cache) return html`<${Quiet} title="It has none" />`;
  if (!cache.on) return html`<${Badge} kind="warning" title=${cache.why}>Off<//>`;
  return cache.rate === null ? html`<span title="It was not asked yet">on</span>` : `${Math.round(cache.rate * 10) / 10} %`;
}

function Hits({ cache }) {
  if (!cache || cache.hits === null || cache.misses === null) return html`<${Quiet} />`;
  const near = cache.entries === null ? null : `${plural(cache.entries, "value")} in the process`;
  return html`<span title=${near}>${formatCount(cache.hits)}, ${formatCount(cache.misses)}</span>`;
}
