// What opens beside the picture: a node's card, anomalies, drift, changes.

import { html, useState } from "./preact-htm.js";
import { getAnalysis, getImpact } from "./flowapi.js";
import { place, trafficWords } from "./flowcanvas.js";
import { placeOf } from "./flowdata.js";
import { agentKey, eventKey, loose } from "./flowmodel.js";
import { go, linkTo, pageLink, useAsk } from "./hooks.js";
import { patternFault } from "./topics.js";
import { Badge, CopyButton, Drawer, ErrorPanel, Skeleton, formatCount, plural } from "./ui.js";

const SHOWN = 50;
const MOST_HOPS = 9;

const Link = ({ to, children }) => html`<a href=${linkTo({ node: to })}><code>${children}</code></a>`;
const AnEvent = ({ name }) => html`<${Link} to=${eventKey(name)}>${name}<//>`;
const AnAgent = ({ name }) => html`<${Link} to=${agentKey(name)}>${name}<//>`;

/** What a node is, where it stands in the code, who is around it, and what moves there. */
export function NodeCard({ node, flow, picture, traffic, names, wish, focus, onClose }) {
  const { key, kind, name } = node;
  const event = kind === "event";
  return html`<${Drawer} title=${html`<code>${name}</code>`} label="${event ? "Event" : "Agent"} ${name}" onClose=${onClose} focus=${focus}>
    <p class="drawer-sub"><${Badge}>${event ? "Event" : "Agent"}<//>
      ${node.failed && html`<${Badge} kind="failed">Failure<//>`}${node.rejected && html`<${Badge} kind="warning">Rejection<//>`}
      ${node.test && html`<${Badge}>Test<//>`}${node.gone && html`<${Badge} kind="failed">Removed<//>`}</p>
    ${picture && !picture.has(key) && html`<p class="muted">Not in this picture. <a href=${linkTo({ type: "complete" })}>Show the complete graph</a></p>`}
    <dl class="facts">
      <div><dt>Namespace</dt><dd><span>${node.namespace}</span></dd></div>
      ${!event && node.id !== name && html`<div><dt>id</dt><dd><span>${node.id}</span></dd></div>`}
      <div><dt>Defined at</dt><dd>${node.at ? html`<span>${place(node.at)}</span><${CopyButton} text=${place(node.at)} label="Copy place" />` : html`<span class="muted">not found</span>`}</dd></div>
    </dl>
    <${Hops} wish=${wish} />
    ${event && html`<${LogLink} name=${names.get(loose(name)) ?? name} />`}
    <${Edges} title=${event ? "Published by" : "Publishes"} edges=${flow.of(key, "publishes")} of=${event ? "agent" : "event"} traffic=${traffic} flow=${flow}
      none=${event ? "Nobody here publishes it: it comes from outside, or is never sent." : "Nothing."} />
    <${Edges} title=${event ? "Listened to by" : "Listens to"} edges=${flow.of(key, "subscribes")} of=${event ? "agent" : "event"} traffic=${traffic} flow=${flow}
      none=${event ? "Nobody listens to it." : "Nothing."} />
    ${event && !node.gone && html`<${Impact} name=${name} wish=${wish} />`}
    <${Unknown} node=${node} traffic=${traffic} />
  <//>`;
}

// Whom a change of the event concerns, also by what they publish then.
function Impact({ name, wish }) {
  const { data, error, retry } = useAsk(() => getImpact({ event: name, type: wish.type, ...placeOf(wish) }), [name, wish.type, wish.project, wish.ref, wish.version].join("\n"));
  if (error) return html`<${ErrorPanel} title="Whom a change concerns could not be read" error=${error} onRetry=${retry} />`;
  if (!data) return html`<${Skeleton} lines=${2} />`;
  const { consumers, truncated } = data.impact;
  return html`<h3>A change of it concerns <span class="muted">${consumers.length || ""}</span></h3>
    ${consumers.length ? html`<ul class="edges"><${Some} items=${consumers} each=${(one) => html`<li title=${one.path.join(" → ")}><${AnAgent} name=${one.agent} /> <span class="muted">${one.depth === 1 ? "directly" : `by ${one.path.at(-2)}`}</span></li>`} /></ul>` : html`<p class="muted">Nobody.</p>`}
    ${truncated && html`<p class="muted">And more: these are the nearest.</p>`}`;
}

function Hops({ wish }) {
  const set = (hops) => go({ hops: hops === 1 ? null : String(hops) }, { replace: true });
  return html`<p class="hops" role="group" aria-label="Neighbours shown">
    <span>Neighbours up to</span>
    <button type="button" class="icon-button" aria-label="Fewer hops" disabled=${wish.hops <= 1} onClick=${() => set(wish.hops - 1)}>−</button>
    <output>${wish.hops}</output>
    <button type="button" class="icon-button" aria-label="More hops" disabled=${wish.hops >= MOST_HOPS} onClick=${() => set(wish.hops + 1)}>+</button>
    <span>${wish.hops === 1 ? "hop" : "hops"} away</span></p>`;
}

const LogLink = ({ name }) => !patternFault(name) && html`<p><a href=${pageLink("events", { topics: name })}>Show these events in the log</a></p>`;

function Edges({ title, edges, of, traffic, flow, none }) {
  return html`<h3>${title} <span class="muted">${edges.length || ""}</span></h3>
    ${edges.length ? html`<ul class="edges"><${Some} items=${edges} each=${(edge) => html`<${EdgeRow} key=${edge.key} edge=${edge} of=${of} told=${traffic?.get(edge.key)} flow=${flow} />`} /></ul>` : html`<p class="muted">${none}</p>`}`;
}

function EdgeRow({ edge, of, told, flow }) {
  const key = of === "agent" ? agentKey(edge.agent) : eventKey(edge.event);
  return html`<li><${Link} to=${key}>${flow.nodes.get(key)?.name ?? edge[of]}<//>${edge.count > 1 && html` <span class="muted">× ${edge.count}</span>`}${edge.gone && html` <${Badge} kind="failed">Removed<//>`}
    ${edge.sites?.length > 0 && html`<ul class="sites">${edge.sites.slice(0, SHOWN).map((site) => html`<li><code>${place(site)}</code><${CopyButton} text=${place(site)} label="Copy place" /></li>`)}</ul>`}
    ${told && html`<${Moves} told=${told} />`}</li>`;
}

const Moves = ({ told }) =>
  html`<p class="moves">${told.count > 0 && html`<${Badge} kind=${told.errors ? "failed" : "ok"}>${told.errors ? "Failing" : "Moving"}<//>`}${trafficWords(told).map((line) => html`<span class="muted">${line}</span>`)}</p>`;

// Seen live at this node, but not in the code.
function Unknown({ node, traffic }) {
  const found = [...(traffic?.values() ?? [])].filter(({ ends, state }) => state === "live_only" && ends.includes(node.key));
  if (!found.length) return null;
  return html`<h3>Seen live only <span class="muted">${found.length}</span></h3>
    <ul class="edges"><${Some} items=${found} each=${(told) => html`<${LiveRow} told=${told} />`} /></ul>`;
}

// What is long is drawn by pieces.
function Some({ items, each }) {
  const [limit, setLimit] = useState(SHOWN);
  return html`${items.slice(0, limit).map(each)}
    ${items.length > limit && html`<li><button type="button" class="button small" onClick=${() => setLimit(limit + 5 * SHOWN)}>Show ${formatCount(items.length - limit)} more</button></li>`}`;
}

/** What the code alone tells of faults: each entry leads to its node. */
export function Anomalies({ wish, stamp, onClose }) {
  const { data, error, retry } = useAsk(() => getAnalysis({ type: wish.type, ...placeOf(wish) }), [wish.type, wish.project, wish.ref, wish.version, stamp].join("\n"));
  const found = data?.anomalies;
  const { orphaned_events: orphans = [], cycles = [], isolated_agents: isolated = [] } = found?.details ?? {};
  const silent = orphans.filter(({ type }) => type === "never_subscribed");
  const external = orphans.filter(({ type }) => type !== "never_subscribed");
  return html`<${Drawer} title="Anomalies" label="Anomalies" onClose=${onClose}>
    <p class="muted">What the code alone tells; some of it may be meant.</p>
    ${error && html`<${ErrorPanel} title="The analysis could not be read" error=${error} onRetry=${retry} />`}
    ${!data && !error && html`<${Skeleton} lines=${5} />`}
    ${found && html`
      <${Group} title="Published, but nobody listens" kind="quiet" items=${silent} each=${(one) => html`<li><${AnEvent} name=${one.event} /></li>`} />
      <${Group} title="Listened to, but never published here" kind="warning" items=${external} each=${(one) => html`<li><${AnEvent} name=${one.event} /></li>`} />
      <${Group} title="Cycles" kind="warning" items=${cycles} each=${(one) => html`<${Cycle} ...${one} />`} />
      <${Group} title="Agents without any event" kind="quiet" items=${isolated} each=${(one) => html`<li><${AnAgent} name=${one.agent ?? one} /></li>`} />
      ${found.truncated && html`<p class="muted">There are more; the search stopped here.</p>`}
      ${!orphans.length && !cycles.length && !isolated.length && html`<p><${Badge} kind="ok">Nothing found<//></p>`}`}
  <//>`;
}

const Group = ({ title, kind, items, each }) =>
  items.length > 0 && html`<h3><${Badge} kind=${kind}>${formatCount(items.length)}<//> ${title}</h3><ul class="edges"><${Some} items=${items} each=${each} /></ul>`;

const Cycle = ({ cycle, message }) =>
  html`<li title=${message}>${(cycle ?? []).map((name, at) => html`${at > 0 && html`<span class="muted"> → </span>`}<${AnEvent} name=${name} />`)}</li>`;

/** Where the code and what is seen live do not agree. */
export function Drift({ traffic, wish, onClose }) {
  const edges = [...(traffic.edges?.values() ?? [])];
  const [live, code] = ["live_only", "code_only"].map((state) => edges.filter((edge) => edge.state === state));
  return html`<${Drawer} title="Drift" label="Drift" onClose=${onClose}>
    <p class="muted">Where the code and the last ${wish.live === "off" ? "minutes" : wish.live} of traffic do not agree.</p>
    ${wish.live === "off" && html`<p>Live traffic is switched off. <a href=${linkTo({ live: null })}>Switch it on</a></p>`}
    ${traffic.error && html`<${ErrorPanel} title="The traffic could not be read" error=${traffic.error} onRetry=${traffic.refresh} />`}
    ${traffic.edges && html`
      <h3>Seen live, not in the code <span class="muted">${live.length}</span></h3>
      ${live.length ? html`<ul class="edges"><${Some} items=${live} each=${(told) => html`<${LiveRow} told=${told} />`} /></ul>` : html`<p class="muted">None.</p>`}
      <h3>In the code, not seen live <span class="muted">${code.length}</span></h3>
      ${code.length ? html`<ul class="edges"><${Some} items=${code} each=${(told) => html`<li><${Sentence} ...${told} /></li>`} /></ul>` : html`<p class="muted">None.</p>`}`}
  <//>`;
}

const Sentence = ({ agent, event, kind }) => html`<${AnAgent} name=${agent} /> <span class="muted">${kind === "publishes" ? "publishes" : "listens to"}</span> <${AnEvent} name=${event} />`;
const LiveRow = ({ told }) => html`<li><${Sentence} ...${told} /><${Moves} told=${told} /></li>`;

const PARTS = [
  ["added", "ok", "Added", "+"],
  ["removed", "failed", "Removed", "−"],
  ["changed", "warning", "Changed", "~"],
];

/** What a version brought against another. */
export function Changes({ diff, wish, onClose }) {
  const sizes = diff && PARTS.map(([name]) => ["events", "agents", "edges"].reduce((sum, list) => sum + (diff[name]?.[list]?.length ?? 0), 0));
  return html`<${Drawer} title="Changes" label="Changes" onClose=${onClose} tools=${html`<a class="button small" href=${linkTo({ base: null, panel: null })}>End comparing</a>`}>
    <p class="muted">${wish.version ? `Version ${wish.version}` : "The latest version"} against ${wish.base.endsWith("@") ? `the latest of ${wish.base.slice(0, -1)}` : `version ${wish.base.replace(/^(.*)@(\d+)$/, "$2 of $1")}`}.</p>
    ${!diff && html`<${Skeleton} lines=${5} />`}
    ${diff && PARTS.map(([name, kind, words, sign], at) => sizes[at] > 0 && html`<h3><${Badge} kind=${kind}>${words}<//> <span class="muted">${plural(sizes[at], "part")}</span></h3>
      <ul class="edges changes"><${Some} items=${changesIn(diff[name])} each=${(one) => html`<li><span class="sign ${name}">${sign}</span> ${one}</li>`} /></ul>`)}
    ${sizes && !sizes.some(Boolean) && html`<p><${Badge} kind="ok">No difference<//></p>`}
  <//>`;
}

const changesIn = ({ events = [], agents = [], edges = [] }) => [
  ...events.map((one) => html`event <${AnEvent} name=${one.name} /><${Fields} ...${one} />`),
  ...agents.map((one) => html`agent <${AnAgent} name=${one.id} /><${Fields} ...${one} />`),
  ...edges.map((edge) => html`<${Sentence} ...${edge} /><${Fields} ...${edge} />`),
];

// What of it changed: each field before and after.
const Fields = ({ before, after }) =>
  before && html`<ul class="sites">${Object.keys({ ...before, ...after }).map((name) => html`<li><span class="muted">${name}: ${String(before[name] ?? "–")} → ${String(after?.[name] ?? "–")}</span></li>`)}</ul>`;

/** A link that opens one of these. */
export const panelButton = (name, words) => html`<a class="button" href=${linkTo({ panel: name, node: null })}>${words}</a>`;
