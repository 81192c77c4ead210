// What an event came from and what came of it, as a small graph.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { getCausality } from "./flowapi.js";
import { cleanSvg, layOut } from "./flowlayout.js";
import { goTo, pageLink, pathOf, useAsk } from "./hooks.js";
import { Badge, EmptyState, ErrorPanel, Skeleton, Time, plural } from "./ui.js";

const LONGEST = 32;

const short = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

// Nodes are numbered: what a stranger wrote is in labels only.
function dotOf({ nodes, edges }) {
  const at = new Map(nodes.map(({ id }, index) => [id, index]));
  const label = ({ type, source, missing, id }) => lines(missing ? [id, "not in the log"] : [type ?? id, source ?? ""]);
  return `digraph { rankdir=LR; bgcolor=transparent; ranksep=0.35; nodesep=0.2;
    node [shape=box style="filled,rounded" fillcolor="#90a4ae" fontname="Arial" fontsize=10 margin="0.15,0.06"]; edge [arrowsize=0.7];
    ${nodes.map((node, index) => `n${index} [id=n${index} label=${label(node)}${node.missing ? ' style="dashed,rounded"' : ""}];`).join("\n")}
    ${edges.filter(({ from, to }) => at.has(from) && at.has(to)).map(({ from, to }) => `n${at.get(from)} -> n${at.get(to)};`).join("\n")} }`;
}

const lines = (texts) => `"${texts.map((text) => short(String(text)).replaceAll("\\", "\\\\").replaceAll('"', '\\"')).join("\\n")}"`;

export default function Causality({ id, sender }) {
  const { data, error, retry } = useAsk(() => getCausality(id, sender), id);
  if (error) return html`<${ErrorPanel} title="The causality could not be read" error=${error} onRetry=${retry} />`;
  if (!data) return html`<${Skeleton} lines=${4} />`;
  if (data.nodes.length < 2) return html`<${EmptyState} title="It stands alone.">
    <p>No event is known that caused it, and none that it caused: events tell that in their <code>causation_id</code>.</p><//>`;
  return html`<div class="trace">
    <${Graph} data=${data} id=${id} />
    ${data.truncated && html`<p class="muted">There are more; the search stopped here.</p>`}
    <h3>${plural(data.nodes.length, "event")} <span class="muted">in the order of cause</span></h3>
    <ol class="others">${[...data.nodes].sort((a, b) => a.depth - b.depth).map((node) => html`<${Row} key=${node.id} node=${node} id=${id} />`)}</ol>
  </div>`;
}

const linkOf = (node) => pageLink(pathOf("events", node.id), { tab: "causality", source: node.id.startsWith("evt_") ? null : node.source });

const Row = ({ node, id }) =>
  html`<li>${node.id === id ? html`<${Badge} kind="running">This one<//>` : node.missing ? html`<${Badge}>Missing<//>` : null}
    ${node.missing ? html`<code>${node.id}</code>` : html`<a href=${linkOf(node)}><code>${node.type}</code></a>`}
    <p class="muted">${node.source ?? ""} ${node.time && html`<${Time} value=${node.time} />`}</p></li>`;

function Graph({ data, id }) {
  const box = useRef();
  const [svg, setSvg] = useState(null);
  const [fault, setFault] = useState("");
  useEffect(() => {
    let current = true;
    const take = (act) => (value) => current && act(value);
    layOut(dotOf(data)).then(cleanSvg).then(take(setSvg), take(({ message }) => setFault(message)));
    return () => (current = false);
  }, [data]);
  useLayoutEffect(() => {
    if (!svg) return;
    box.current.replaceChildren(svg);
    for (const part of svg.querySelectorAll("g.node")) part.classList.toggle("focus", nodeAt(part)?.id === id);
    svg.querySelector(".focus")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [svg]);
  const nodeAt = (part) => data.nodes[Number(part.key.id.slice(1))];
  const open = ({ target }) => {
    const part = target.closest?.("g.node");
    const node = part && nodeAt(part);
    if (node && !node.missing) goTo(linkOf(node));
  };
  if (fault) return html`<p class="muted">The picture could not be drawn: ${fault}</p>`;
  return html`<div class="graph-view" ref=${box} role="img" aria-label="Causes at the left, effects at the right; the list below says the same" onClick=${open}></div>`;
}
