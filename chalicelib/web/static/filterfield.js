// A filter in JSON, tried on what the log holds before it counts.

import { html, useState } from "./preact-htm.js";
import { tryFilter } from "./api.js";
import { pageLink, pathOf, useAct } from "./hooks.js";
import { patternFault, splitTopics } from "./topics.js";
import { Badge, ErrorPanel, Field, formatCount, plural } from "./ui.js";

const LAST = 100;
const SHOWN = 5;

/** The filter that a text stands for, or null for none. */
export const filterIn = (text) => (text.trim() ? JSON.parse(text) : null);

/** Say why a text is no filter, or return null. */
export function jsonFault(text) {
  try {
    const value = filterIn(text);
    const isObject = value === null || (typeof value === "object" && !Array.isArray(value));
    return isObject ? null : 'A filter is an object, as in {"payload.total": {"$gte": 50}}.';
  } catch (error) {
    return `This is not JSON yet: ${error.message}`;
  }
}

/** The field, with a button that tries it on the last events of the log. */
export function FilterField({ topics, value, onChange }) {
  const { run, busy, error, clear } = useAct();
  const [tried, setTried] = useState(null);
  const fault = jsonFault(value);
  const patterns = splitTopics(topics);
  const change = (event) => {
    setTried(null);
    clear();
    onChange(event.target.value);
  };
  const act = async () => {
    const filter = filterIn(value);
    setTried((await run(() => tryFilter({ topics: patterns.length ? patterns : "**", ...(filter && { filter }), last: LAST }))) ?? null);
  };
  return html`<${Field} label="Filter" hint="JSON, optional" id="filter" fault=${fault}>
      <textarea id="filter" class="mono" rows="4" spellcheck=${false} value=${value} placeholder='{"payload.total": {"$gte": 50}}' aria-invalid=${fault ? "true" : null} onInput=${change} />
    <//>
    <div class="tried">
      <button type="button" class="button small" disabled=${busy || Boolean(fault) || patterns.some(patternFault)} onClick=${act}>${busy ? "Trying …" : `Try on the last ${LAST} events`}</button>
      ${error && html`<${ErrorPanel} title="The filter makes no sense" error=${error} />`}
      ${tried && html`<${Outcome} tried=${tried} />`}
    </div>`;
}

function Outcome({ tried: { examined, matches, events, failed } }) {
  if (!examined) return html`<p class="muted" role="status">The log is empty: publish something to try it on.</p>`;
  const hits = events.filter((event) => event.matched).slice(0, SHOWN);
  return html`<p role="status"><${Badge} kind=${matches ? "ok" : "warning"}>${formatCount(matches)} of ${formatCount(examined)} match<//></p>
    ${hits.length > 0 && html`<ul>${hits.map((event) => html`<li><a href=${pageLink(pathOf("events", event.event_id))} target="_blank" rel="noopener"><code>${event.type}</code></a> <span class="muted">${event.event_id}</span></li>`)}</ul>`}
    ${matches > SHOWN && html`<p class="muted">and ${plural(matches - hits.length, "other")}</p>`}
    ${!matches && html`<p>Why not, the most frequent first:</p>
      <ol class="misses">${failed.slice(0, SHOWN).map(({ count, message }) => html`<li><strong>${formatCount(count)} ×</strong> ${message}${count > 1 && html`<span class="muted"> (the newest)</span>`}</li>`)}</ol>`}`;
}
