// The live feed: the filter bar, the pause, the table, and what stands there when empty.

import { html, useEffect, useMemo, useRef, useState } from "./preact-htm.js";
import { filterFault } from "./filters.js";
import { keyOf } from "./feed.js";
import { ROOT, enterTable, go, useHotkeys, useLatest, useNow } from "./hooks.js";
import { sketch } from "./json.js";
import { Table } from "./table.js";
import { TimeRange } from "./timerange.js";
import { patternFault, splitTopics } from "./topics.js";
import { Announce, Badge, Command, EmptyState, ErrorPanel, Icon, IconButton, Id, Skeleton, Time, formatCount, plural } from "./ui.js";

const TYPING_MS = 450;
const FRESH_MS = 1_500;
const CALM_RATE = 10;
const MOST_SUGGESTED = 40;

/**
 * The events of a source. As `log` it is a list to read, in which what is new always
 * waits; else a feed to watch, which holds while somebody reads. `linkOf(event)` is
 * where its details are.
 */
export function FeedPanel({ source, opened, linkOf, onOpen, onMove, auth, demo, log }) {
  const { feed } = source;
  const [paused, setPaused] = useState(false);
  const [reading, setReading] = useState("");
  const box = useRef();
  const held = log ? feed.rows.length > 0 : paused || Boolean(reading) || Boolean(opened);
  useEffect(() => feed.hold(held), [feed, held]);
  useEffect(() => void (box.current && (box.current.scrollTop = 0)), [source.query]);
  const toggle = () => setPaused(!paused);
  useHotkeys({ ArrowDown: () => enterTable(box.current), ...(!log && { p: toggle }) });
  const showNew = () => {
    feed.release();
    if (box.current) box.current.scrollTop = 0;
    document.activeElement?.blur();
  };
  return html`<section class="panel feed" aria-label="Events">
    <header class="feed-head">
      <${FilterBar} query=${source.query} feed=${feed} log=${log} />
      ${!log && html`<div class="feed-tools">
        <${Mode} paused=${paused} held=${held} live=${source.status.state} />
        <${Rate} feed=${feed} />
        <button type="button" class="button" aria-pressed=${String(paused)} title="p" onClick=${toggle}>
          <${Icon} name=${paused ? "play" : "pause"} />${paused ? "Resume" : "Pause"}</button>
      </div>`}
    </header>
    ${source.notice && html`<${Notice} source=${source} />`}
    ${source.error && feed.rows.length > 0 && html`<${ErrorPanel} title="The log could not be read" error=${source.error} onRetry=${() => source.again()} />`}
    <div class="feed-body">
      ${feed.waitingCount > 0 && html`<button type="button" class="pill" onClick=${showNew}><${Icon} name="up" />${formatCount(feed.waitingCount)} new</button>`}
      ${feed.rows.length > 0
        ? html`<${EventTable} source=${source} box=${box} opened=${opened} linkOf=${linkOf} onOpen=${onOpen} onMove=${onMove} onReading=${setReading} />`
        : html`<div class="scroll"><${Nothing} source=${source} auth=${auth} demo=${demo} /></div>`}
    </div>
    <${Announce} text=${`${plural(feed.rows.length, "event")} shown${feed.waitingCount ? `, ${feed.waitingCount} new` : ""}`} />
  </section>`;
}

function Mode({ paused, held, live }) {
  if (paused) return html`<${Badge} kind="warning">Paused<//>`;
  if (live !== "live") return html`<${Badge}>Not live<//>`;
  if (held) return html`<span title="New events wait while you read: the list is scrolled, pointed at, or an event is open."><${Badge} kind="running">Holding<//></span>`;
  return html`<${Badge} kind="ok">Live<//>`;
}

function Rate({ feed }) {
  useNow();
  const rate = feed.rate();
  const text = rate === 0 || rate >= 10 ? formatCount(Math.round(rate)) : rate.toFixed(1);
  return html`<span class="rate muted" title="Events a second here, over the last five seconds">${text}/s</span>
    <span class="rate muted shown" title="Events in the list; the last 1,000 are kept">${formatCount(feed.rows.length)} shown</span>`;
}

function Notice({ source }) {
  return html`<p class="notice" role="status"><${Icon} name="warning" />${source.notice}
    <${IconButton} icon="close" label="Dismiss" onClick=${() => source.change({ notice: "" })} /></p>`;
}

const columnsOf = (linkOf) => [
  { name: "Time", class: "col-time", cell: (event) => html`<${Time} value=${event.timestamp} />` },
  { name: "Type", class: "col-type", cell: (event) => html`<a href=${linkOf(event)} tabindex="-1" title=${event.type}>${event.type}</a>` },
  { name: "Source", class: "col-source", cell: (event) => html`<span title=${event.source}>${event.source ?? "–"}</span>` },
  { name: "Priority", class: "col-priority number", cell: (event) => html`<span class=${event.priority >= 8 ? "high" : ""}>${event.priority}</span>` },
  { name: "Payload", class: "col-payload", cell: (event) => previewOf(event) },
  { name: "Id", class: "col-id", cell: (event) => html`<${Id} value=${event.id} />` },
];

const previews = new WeakMap();

function previewOf(event) {
  if (event.dataref) return "large payload, open the event to fetch it";
  if (!previews.has(event)) previews.set(event, sketch(event.payload));
  return previews.get(event);
}

function EventTable({ source, box, opened, linkOf, onOpen, onMove, onReading }) {
  const latest = useLatest(linkOf);
  const columns = useMemo(() => columnsOf((event) => latest.current(event)), []);
  const { feed } = source;
  const calm = feed.rate() <= CALM_RATE;
  const now = Date.now();
  const classOf = (event) => (calm && now - event.arrived < FRESH_MS ? "fresh" : null);
  useEffect(() => () => onReading(""), []);
  const openedRow = opened && feed.rows.find((event) => event.id === opened);
  return html`<${Table} label="Events, newest first" columns=${columns} rows=${feed.rows} keyOf=${keyOf} classOf=${classOf}
    opened=${openedRow && keyOf(openedRow)} onOpen=${onOpen} onMove=${onMove} onReading=${onReading} boxRef=${box} foot=${html`<${Older} source=${source} />`} />`;
}

function Older({ source }) {
  const { feed, cursor, busy } = source;
  if (feed.trimmed) return html`<p class="foot muted">The latest ${formatCount(feed.limit)} are kept here. Filter by topic, field or time to look further back.</p>`;
  const filtered = isNarrowed(source.query);
  if (!cursor) return html`<p class="foot muted">${source.loading ? "" : `That is all the log holds${filtered ? " for this filter" : ""}.`}</p>`;
  return html`<p class="foot"><button type="button" class="button" disabled=${busy} onClick=${() => source.older()}>${busy ? "Loading …" : "Load older events"}</button></p>`;
}

function Nothing({ source, auth, demo }) {
  if (source.error) return html`<${ErrorPanel} title="The events could not be read" error=${source.error} onRetry=${() => source.again()} />`;
  if (source.loading) return html`<${Skeleton} lines=${10} />`;
  if (isNarrowed(source.query) || source.cursor) return html`<${NoneFit} source=${source} />`;
  return html`<${EmptyState} title="No events yet.">
    <p>Nothing has been published here. Send the first event from a terminal:</p>
    <${Command} text=${curlCommand(auth)} />
    ${demo && html`<p>or let this page publish a dozen plausible ones, over a few topics:</p><p>${demo}</p>`}
  <//>`;
}

const ANYTHING = { topics: null, filter: null, last: null, since: null, until: null };
const isNarrowed = ({ topics, filters, last, since, until }) => Boolean(topics.length || filters.length || last || since || until);

function NoneFit({ source }) {
  return html`<${EmptyState} title="No event fits this filter.">
    <p>${source.cursor ? "None so far: the log goes further back." : "Nothing in the log does; new events that fit will appear here."}</p>
    <p class="actions">
      ${source.cursor && html`<button type="button" class="button" disabled=${source.busy} onClick=${() => source.older()}>Keep looking</button>`}
      <button type="button" class="button" onClick=${() => go(ANYTHING)}>Clear the filter</button>
    </p>
  <//>`;
}

function curlCommand(auth) {
  const key = auth === "keys" ? " \\\n  -H 'Authorization: Bearer YOUR_KEY'" : "";
  const address = new URL(`${ROOT}api/v1/events`, location.origin);
  return `curl ${address} \\\n  -H 'Content-Type: application/json'${key} \\\n  -d '{"type": "order.placed", "payload": {"total": 42.5}}'`;
}

function FilterBar({ query, feed, log }) {
  const field = useRef();
  useHotkeys({ "/": () => field.current.focus() });
  return html`<form class="filter-bar" role="search" aria-label="Filter the events" onSubmit=${(event) => event.preventDefault()}>
    <${TopicsField} topics=${query.topics} inputRef=${field} feed=${feed} />
    ${query.filters.map((filter) => html`<${Chip} key=${filter} filter=${filter} all=${query.filters} />`)}
    <${FieldFilter} filters=${query.filters} />
    ${log && html`<${TimeRange} query=${query} />`}
    ${isNarrowed(query) && html`<button type="button" class="button quiet" onClick=${() => go(ANYTHING)}>Clear</button>`}
  </form>`;
}

// What is typed becomes the address after a moment: one step back undoes it.
function TopicsField({ topics, inputRef, feed }) {
  const shown = topics.join(", ");
  const [text, setText] = useState(shown);
  const typing = useRef(null);
  const moved = useRef(false);
  const fault = splitTopics(text).map(patternFault).find(Boolean);
  const apply = useLatest(() => {
    typing.current = null;
    if (fault) return;
    go({ topics: splitTopics(text).join(",") }, { replace: moved.current });
    moved.current = true;
  });
  useEffect(() => void (typing.current || splitTopics(text).join(", ") === shown || setText(shown)), [shown]);
  const type = (event) => {
    setText(event.target.value);
    clearTimeout(typing.current);
    typing.current = setTimeout(() => apply.current(), TYPING_MS);
  };
  const finish = () => {
    clearTimeout(typing.current);
    apply.current();
  };
  return html`<div class="topics-field ${fault ? "faulty" : ""}">
    <${Icon} name="search" />
    <input ref=${inputRef} class="mono" type="search" aria-label="Topics" placeholder="Topics, such as order.*, user.**" title="Topics (/)" list="topics-seen"
      spellcheck=${false} autocomplete="off" value=${text} aria-invalid=${fault ? "true" : null}
      onInput=${type} onChange=${finish} onFocus=${() => (moved.current = false)} />
    <datalist id="topics-seen">${topicsSeen(feed).map((topic) => html`<option value=${topic} />`)}</datalist>
    ${fault && html`<p class="fault" role="alert">${fault}</p>`}
  </div>`;
}

function topicsSeen(feed) {
  return [...new Set(feed.rows.map((event) => event.type))].sort().slice(0, MOST_SUGGESTED);
}

function Chip({ filter, all }) {
  const remove = () => go({ filter: all.filter((other) => other !== filter) });
  return html`<span class="chip"><code title=${filter}>${filter}</code><${IconButton} icon="close" label="Remove the filter ${filter}" onClick=${remove} /></span>`;
}

function FieldFilter({ filters }) {
  const [text, setText] = useState("");
  const [fault, setFault] = useState(null);
  const add = () => {
    const filter = text.trim();
    const wrong = filter && filterFault(filter);
    setFault(wrong);
    if (!filter || wrong) return;
    go({ filter: [...new Set([...filters, filter])] });
    setText("");
  };
  const press = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    add();
  };
  return html`<div class="topics-field field-filter ${fault ? "faulty" : ""}">
    <${Icon} name="filter" />
    <input class="mono" aria-label="Add a field filter" placeholder="field:op:value ↵" title="A field, an operator and a value, as in priority:gte:7 or payload.total:gt:50. Enter adds it." list="filter-ideas"
      spellcheck=${false} autocomplete="off" enterkeyhint="done" value=${text} aria-invalid=${fault ? "true" : null}
      onInput=${(event) => setText(event.target.value)} onKeyDown=${press} onBlur=${() => text || setFault(null)} />
    <datalist id="filter-ideas">${["priority:gte:7", "source:eq:shop", "payload.total:gt:50", "correlation_id:exists:true"].map((idea) => html`<option value=${idea} />`)}</datalist>
    ${fault && html`<p class="fault" role="alert">${fault}</p>`}
  </div>`;
}
