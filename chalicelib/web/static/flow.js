// The page `/flow`: who publishes what to whom, as the code tells it and as it moves now.

import { html, useEffect, useMemo, useReducer, useState } from "./preact-htm.js";
import { Canvas } from "./flowcanvas.js";
import { useGraph, usePulses, useTraffic } from "./flowdata.js";
import { Anomalies, Changes, Drift, NodeCard, panelButton } from "./flowdrawers.js";
import { Age, Exports, Legend, LiveWindow, Places, Search, Versions, WINDOWS, usePlaces } from "./flowtools.js";
import { escaping, go, linkTo, useDrawer, useHotkeys } from "./hooks.js";
import { Announce, Command, EmptyState, ErrorPanel, Guard, PageTitle, Skeleton, formatCount, plural } from "./ui.js";

const TYPES = [
  ["simplified", "Simplified", "The main ways from where events enter to where they end; failures, rejections and tests left out."],
  ["complete", "Complete", "Every event and every agent, with each publication and each subscription."],
  ["full-tree", "Full tree", "Unrolled from what enters: every way an event can take; what comes again is dashed."],
];
const DEFAULT_LIVE = "15m";
const SCAN = "eventyard scan . --push";
const OLD_SCAN = "python -m eventyard.scanner --agents-dir agents --api-url";

// What is malformed in the address is left out.
function wished(query) {
  const first = (name) => query[name]?.[0];
  return {
    type: TYPES.some(([type]) => type === first("type")) ? first("type") : TYPES[0][0],
    project: first("project"),
    ref: first("ref"),
    version: /^\d+$/.test(first("version") ?? "") ? first("version") : undefined,
    base: /^(\d+|.+@\d*)$/.test(first("base") ?? "") ? first("base") : undefined,
    node: first("node"),
    hops: Math.min(9, Math.max(1, Number.parseInt(first("hops"), 10) || 1)),
    off: query.off ?? [],
    hide: query.hide ?? [],
    live: Object.hasOwn(WINDOWS, first("live") ?? "") ? first("live") : DEFAULT_LIVE,
    panel: first("panel"),
  };
}

export default function FlowPage({ place, source, config }) {
  const wish = wished(place.query);
  const graph = useGraph(wish);
  const { flow, picture, status } = graph;
  const places = usePlaces(wish);
  const traffic = useTraffic(wish, flow);
  const names = usePulses(source, config, wish.live !== "off", flow, picture);
  const [hits, setHits] = useState([]);
  const [look, lookAt] = useReducer((before, key) => ({ key, round: (before?.round ?? 0) + 1 }), null);
  const drawer = useDrawer({ node: null });
  const node = flow?.nodes.get(wish.node ?? "");
  useMarks({ flow, picture, found: graph.found, wish, node, hits, traffic });
  const choose = (key) => {
    lookAt(key);
    drawer.open({ node: key });
  };
  const open = (key) => (key ? drawer.open({ node: key }) : wish.node && drawer.close());
  const leave = () => go({ panel: null });
  useHotkeys({ Escape: escaping(node || wish.panel, node ? drawer.close : leave) });
  // A link to a node shows it in the middle; a click leaves the picture where it is.
  useEffect(() => void (picture && wish.node && !picture.keep && lookAt(wish.node)), [picture]);
  const moved = (key) => traffic.edges?.get(key);
  const empty = status && !Object.keys(status.graphs ?? {}).length;
  return html`<main id="main" class="main flow-page" tabindex="-1">
      <${PageTitle} title="Flow" actions=${html`<${Tools} graph=${graph} wish=${wish} places=${places} />`}>Who publishes what to whom, as the code tells it and as it moves now.<//>
      ${empty ? html`<${Empty} />` : html`
        <${Guard}><section class="panel flow" aria-label="Event flow">
          <${Bar} graph=${graph} wish=${wish} refs=${places.refs} onHits=${setHits} onChoose=${choose} />
          ${traffic.error && html`<p class="notice">Live traffic could not be read: ${traffic.error.message}</p>`}
          ${graph.note && html`<p class="notice">${graph.note}</p>`}
          ${graph.error && html`<${ErrorPanel} title="The graph could not be shown" error=${graph.error} onRetry=${graph.retry} />`}
          <${Canvas} picture=${picture} label="Event flow, ${wish.type}" look=${look} told=${moved} onOpen=${open}>
            ${!picture && !graph.error && (graph.missing ? html`<${Missing} wish=${wish} />` : html`<${Skeleton} lines=${6} />`)}
          <//>
          <${Foot} graph=${graph} wish=${wish} traffic=${traffic} />
        </section><//>`}
    </main>
    <${Guard} key=${`${wish.node} ${wish.panel}`}><${Beside} node=${node} graph=${graph} traffic=${traffic} names=${names} wish=${wish} focus=${drawer.byKey} onClose=${node ? drawer.close : leave} /><//>`;
}

function Beside({ node, graph, traffic, names, wish, focus, onClose }) {
  const { flow, picture, status, diff } = graph;
  if (node) return html`<${NodeCard} key=${node.key} node=${node} flow=${flow} picture=${picture} traffic=${traffic.edges} names=${names} wish=${wish} focus=${focus} onClose=${onClose} />`;
  if (wish.panel === "anomalies" && flow) return html`<${Anomalies} wish=${wish} stamp=${status?.graphs[wish.type]?.version} onClose=${onClose} />`;
  if (wish.panel === "drift") return html`<${Drift} traffic=${traffic} wish=${wish} onClose=${onClose} />`;
  if (wish.panel === "changes" && wish.base) return html`<${Changes} diff=${diff} wish=${wish} onClose=${onClose} />`;
  return null;
}

// Marks are put on the picture that is there: nothing is laid out again.
function useMarks({ flow, picture, found, wish, node, hits, traffic }) {
  const hidden = useMemo(
    () => flow?.hidden({ off: new Set(wish.off), failed: wish.hide.includes("failed"), rejected: wish.hide.includes("rejected") }),
    [flow, wish.off.join("\n"), wish.hide.join()],
  );
  useEffect(() => picture?.mark("off", hidden), [picture, hidden]);
  useEffect(() => picture?.focus(node ? flow.near(node.key, wish.hops) : null, node?.key), [picture, node, wish.hops]);
  useEffect(() => picture?.compare(found), [picture, found]);
  useEffect(() => picture?.mark("hit", new Set(hits.map(({ key }) => key))), [picture, hits]);
  useEffect(() => picture?.paint(traffic.edges), [picture, traffic.edges]);
}

const Tools = ({ graph, wish, places }) =>
  html`<${Places} wish=${wish} places=${places} />
    ${graph.flow && html`${panelButton("anomalies", "Anomalies")}${panelButton("drift", "Drift")}${wish.base && panelButton("changes", "Changes")}`}
    ${graph.status && Object.keys(graph.status.graphs ?? {}).length > 0 && html`<${Exports} wish=${wish} picture=${graph.picture} />`}`;

function Bar({ graph, wish, refs, onHits, onChoose }) {
  const known = graph.status?.graphs?.[wish.type];
  return html`<header class="flow-bar">
      <${Kinds} wish=${wish} />
      <${Search} flow=${graph.flow} onHits=${onHits} onChoose=${onChoose} />
      <${LiveWindow} wish=${wish} />
      <${Versions} wish=${wish} stamp=${known?.version} refs=${refs} />
    </header>
    <div class="flow-strip">
      <${Tiles} graph=${graph} />
      ${known && html`<${Age} known=${known} shown=${wish.version ? graph.record : null} />`}
    </div>
    ${graph.flow?.nodes.size > 0 && html`<${Legend} flow=${graph.flow} picture=${graph.picture} wish=${wish} />`}`;
}

function Kinds({ wish }) {
  const move = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = TYPES.findIndex(([type]) => type === wish.type);
    choose(TYPES[(at + by + TYPES.length) % TYPES.length][0]);
    requestAnimationFrame(() => document.querySelector(".flow-bar [aria-selected=true]")?.focus());
  };
  const choose = (type) => go({ type: type === TYPES[0][0] ? null : type, version: null, base: null });
  return html`<div class="tabs flow-tabs" role="tablist" aria-label="Kind of graph" onKeyDown=${move}>
    ${TYPES.map(([type, name]) => html`<button type="button" role="tab" aria-selected=${String(type === wish.type)} tabindex=${type === wish.type ? 0 : -1} onClick=${() => choose(type)}>${name}</button>`)}</div>`;
}

function Tiles({ graph }) {
  const stats = graph.record?.stats ?? {};
  const model = graph.record?.model;
  const counts = [
    ["Events", stats.events ?? model?.events?.length],
    ["Agents", stats.agents ?? model?.agents?.length],
    ["Connections", stats.connections ?? model?.edges?.length],
    ["Namespaces", graph.record?.namespaces?.length],
  ];
  return html`<dl class="tiles">${counts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${typeof value === "number" ? formatCount(value) : "–"}</dd></div>`)}</dl>`;
}

function Foot({ graph, wish, traffic }) {
  const [, , words] = TYPES.find(([type]) => type === wish.type);
  const count = traffic.edges && [...traffic.edges.values()].filter((edge) => edge.count > 0).length;
  const live = wish.live === "off" ? "" : count ? `${plural(count, "connection")} moved in the last ${wish.live}` : traffic.edges ? `No traffic in the last ${wish.live}` : "";
  return html`<footer class="flow-foot"><p class="muted">${words}</p>
    ${count > 0 && html`<p class="key-live"><span>moving</span><span class="failing">✕ failing</span><span class="still">not seen</span><span class="extra">not in the code</span></p>`}
    <p class="muted">${live}</p>
    <${Announce} text=${graph.flow ? `${plural(graph.flow.nodes.size, "node")} shown. ${live}` : ""} /></footer>`;
}

const Missing = ({ wish }) =>
  html`<${EmptyState} title="Nobody pushed this kind of graph${wish.ref ? ` for ${wish.ref}` : ""}."><p><a href=${linkTo({ type: "complete", version: null })}>Show the complete graph</a></p><//>`;

const Empty = () =>
  html`<section class="panel flow"><${EmptyState} title="No graph yet: scan some code, and it is drawn here.">
    <${Command} text=${SCAN} />
    <p class="muted">or, with the options of older scanners:</p>
    <${Command} text=${`${OLD_SCAN} ${location.origin}`} />
  <//></section>`;
