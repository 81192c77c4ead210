// Which time is shown: a stretch that ends now, or one between two moments; both are in
// the address.

import { html, useState } from "./preact-htm.js";
import { go } from "./hooks.js";

const MINUTE = 60_000;
const SPANS = { "15m": 15 * MINUTE, "1h": 60 * MINUTE, "24h": 1_440 * MINUTE, "7d": 10_080 * MINUTE };
const NAMES = { "15m": "Last 15 minutes", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days" };

/** Read { last, since, until } from the address; what is malformed is left out. */
export function spanIn({ last, since, until }) {
  if (Object.hasOwn(SPANS, last?.[0] ?? "")) return { last: SPANS[last[0]] };
  return { since: moment(since?.[0]), until: moment(until?.[0]) };
}

const moment = (text) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : undefined);

/** Choose a stretch of time. */
export function TimeRange({ query }) {
  const chosen = Object.keys(SPANS).find((name) => SPANS[name] === query.last);
  const [between, setBetween] = useState(false);
  const open = !chosen && (between || query.since || query.until);
  const choose = (event) => {
    const name = event.target.value;
    setBetween(name === "between");
    go({ last: Object.hasOwn(SPANS, name) ? name : null, since: null, until: null });
  };
  return html`<select aria-label="Time" value=${chosen ?? (open ? "between" : "")} onChange=${choose}>
      <option value="">Any time</option>
      ${Object.entries(NAMES).map(([name, words]) => html`<option value=${name}>${words}</option>`)}
      <option value="between">Between …</option>
    </select>
    ${open && html`<label class="moment"><span class="muted">From</span><${Moment} label="From" value=${query.since} onChoose=${(since) => go({ since })} /></label>
      <label class="moment"><span class="muted">Until</span><${Moment} label="Until" value=${query.until} onChoose=${(until) => go({ until })} /></label>`}`;
}

/** A moment by the reader's clock; told as ISO 8601 in UTC, or null. */
export function Moment({ label, value, onChoose, ...rest }) {
  const choose = (event) => onChoose(event.target.value ? new Date(event.target.value).toISOString() : null);
  return html`<input type="datetime-local" aria-label=${label} title="${label}, by your clock" value=${localText(value)} onChange=${choose} ...${rest} />`;
}

function localText(value) {
  if (!value) return "";
  const at = new Date(value);
  return new Date(at - at.getTimezoneOffset() * MINUTE).toISOString().slice(0, 19);
}
