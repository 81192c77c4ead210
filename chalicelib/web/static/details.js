// One event, whole, in a drawer with its own address.

import { html, useRef } from "./preact-htm.js";
import { getEvent } from "./api.js";
import { go, useAsk } from "./hooks.js";
import { JsonView } from "./json.js";
import { Trace } from "./trace.js";
import { CopyButton, Drawer, ErrorPanel, Id, Late, Skeleton, Tabs, Time, exactTime } from "./ui.js";

const EXTENSION = /^[a-z][a-z0-9]{0,19}$/;
const RENAMED = {
  timestamp: "time",
  correlation_id: "correlationid",
  causation_id: "causationid",
  expires_at: "expirytime",
};
const LEFT_OUT = new Set(["id", "source", "type", "payload", "attributes", "cursor", "arrived"]);

/** The event of this id where the feed has it, or had it: the feed may drop one that stays open. */
export function useKnown(source, id) {
  const seen = useRef(null);
  const found = id ? source.feed.find(id) : null;
  if (found || seen.current?.id !== id) seen.current = found ?? null;
  return seen.current;
}

/**
 * `known` is the event where the feed has it; else, or when it is not whole, it is asked
 * for. `sender` tells apart ids that senders chose.
 */
export function EventDrawer({ id, sender, known, tab, focus, onClose }) {
  const whole = known && !known.dataref;
  const { data, error, retry } = useAsk(() => (whole ? Promise.resolve(known) : getEvent(id, sender)), `${id} ${Boolean(whole)}`);
  const event = whole ? known : (data ?? known);
  const title = event ? html`<code>${event.type}</code>` : "Event";
  return html`<${Drawer} title=${title} label="Event ${id}" onClose=${onClose} focus=${focus}>
    <p class="drawer-sub"><${Id} value=${id} keep=${12} />${event && html`<span class="muted"><${Time} value=${event.timestamp} /></span>`}</p>
    ${error && html`<${ErrorPanel} title="The event could not be read" error=${error} onRetry=${retry} />`}
    ${!data && !error && !whole && html`<${Skeleton} lines=${6} />`}
    ${(whole || data) && html`<${EventTabs} event=${whole ? known : data} sender=${sender} tab=${tab} />`}
  <//>`;
}

function EventTabs({ event, sender, tab }) {
  const tabs = [
    { id: "payload", name: "Payload", body: () => html`<${JsonView} key=${event.id} value=${event.payload ?? null} label="payload" />` },
    { id: "trace", name: "Trace", body: () => html`<${Trace} key=${event.id} id=${event.id} sender=${sender} />` },
    { id: "causality", name: "Causality", body: () => html`<${Late} key=${event.id} load=${() => import("./causality.js")} id=${event.id} sender=${sender} />` },
    { id: "details", name: "Details", body: () => html`<${Details} event=${event} />` },
  ];
  const chosen = tabs.some(({ id }) => id === tab) ? tab : "payload";
  const choose = (id) => go({ tab: id === "payload" ? null : id }, { replace: true });
  return html`<${Tabs} tabs=${tabs} chosen=${chosen} onChoose=${choose} label="Parts of the event" />`;
}

function Details({ event }) {
  return html`<dl class="facts">${factsOf(event).map(([name, value]) => html`<${Fact} name=${name} value=${value} />`)}</dl>
    <h3>As a CloudEvent</h3>
    <${JsonView} key=${event.id} value=${cloudEvent(event)} label="the CloudEvent" />`;
}

function factsOf(event) {
  const { id, type, source, priority, timestamp, ...rest } = event;
  const more = Object.entries(rest).filter(([name, value]) => !LEFT_OUT.has(name) && value !== null && value !== undefined);
  const labels = Object.entries(event.attributes ?? {});
  return [["id", id], ["type", type], ["source", source ?? "–"], ["priority", priority], ["timestamp", timestamp], ...more, ...labels];
}

function Fact({ name, value }) {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const exact = name === "timestamp" && !Number.isNaN(Date.parse(text)) ? exactTime(Date.parse(text)) : text;
  return html`<div><dt>${name}</dt><dd><span>${exact}</span><${CopyButton} text=${text} label="Copy ${name}" /></dd></div>`;
}

/** The event in the form of CloudEvents 1.0, as the server sends it to others. */
export function cloudEvent(event) {
  const cloud = { specversion: "1.0", id: event.id, type: event.type, source: event.source || "/eventyard" };
  const extra = {};
  for (const [name, value] of Object.entries({ ...event.attributes, ...event })) {
    if (LEFT_OUT.has(name) || value === null || value === undefined) continue;
    const short = RENAMED[name] ?? name;
    if (EXTENSION.test(short) && typeof value !== "object") cloud[short] = value;
    else extra[name] = value;
  }
  if (Object.keys(extra).length) cloud.eventyardextra = JSON.stringify(extra);
  return { ...cloud, datacontenttype: "application/json", data: event.payload ?? null };
}
