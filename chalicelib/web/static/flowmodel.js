// The model of a graph, as the page asks of it: who is next to whom, what is hidden,
// what a search finds. No DOM here.

import { topicMatcher } from "./topics.js";

const MOST_HITS = 50;

export const eventKey = (name) => `event:${name}`;
export const agentKey = (id) => `agent:${id}`;
export const clusterKey = (namespace) => `cluster:${namespace}`;
export const edgeKey = ({ agent, event, kind }) => (kind === "publishes" ? `pub:${agent}|${event}` : `sub:${event}|${agent}`);

/** A name without case and separators: `OrderPaid` is `order.paid` is `order_paid`. */
export const loose = (name) => String(name).toLowerCase().replace(/[\s._:/-]+/g, "");

/** A time that the server told, which without a zone is UTC: ISO 8601 with one. */
export const moment = (text) => (/(Z|[+-]\d\d:?\d\d)$/.test(text ?? "") ? text : `${text}Z`);

/** Nodes by key, edges by key, and each node's edges. */
export class Flow {
  constructor(model) {
    this.nodes = new Map();
    this.edges = new Map();
    this.around = new Map();
    this.loosely = new Map();
    this.patterns = [];
    for (const one of model?.events ?? []) this.put({ ...one, key: eventKey(one.name), kind: "event" });
    for (const one of model?.agents ?? []) this.put({ ...one, key: agentKey(one.id), kind: "agent", name: one.label || one.id });
    for (const edge of model?.edges ?? []) this.join(edge);
  }

  put(node) {
    this.nodes.set(node.key, node);
    this.around.set(node.key, []);
    if (node.kind !== "event") return;
    if (node.pattern) this.patterns.push([topicMatcher([node.name]), node]);
    const same = loose(node.name);
    this.loosely.set(same, [...(this.loosely.get(same) ?? []), node]);
  }

  join(edge) {
    const [agent, event] = [agentKey(edge.agent), eventKey(edge.event)];
    if (!this.nodes.has(agent) || !this.nodes.has(event)) return;
    const [from, to] = edge.kind === "publishes" ? [agent, event] : [event, agent];
    const joined = { ...edge, key: edgeKey(edge), from, to };
    this.edges.set(joined.key, joined);
    this.around.get(from).push(joined);
    this.around.get(to).push(joined);
  }

  /** The edges of a node: `publishes` or `subscribes`. */
  of(key, kind) {
    return (this.around.get(key) ?? []).filter((edge) => edge.kind === kind);
  }

  /** The keys of what lies up to so many hops around a node, itself and edges included. */
  near(key, hops) {
    const found = new Set([key]);
    let rim = [key];
    for (let hop = 0; hop < hops && rim.length; hop += 1) {
      const next = [];
      for (const edge of rim.flatMap((node) => this.around.get(node) ?? [])) {
        found.add(edge.key);
        for (const end of [edge.from, edge.to]) {
          if (!found.has(end)) next.push(end);
          found.add(end);
        }
      }
      rim = next;
    }
    return found;
  }

  /** The keys of what is not shown: namespaces that are off, failed and rejected events, and who is left without any event. */
  hidden({ off, failed, rejected }) {
    const gone = new Set();
    if (!off.size && !failed && !rejected) return gone;
    for (const node of this.nodes.values()) {
      if (off.has(node.namespace) || (failed && node.failed) || (rejected && node.rejected)) gone.add(node.key);
    }
    for (const node of this.nodes.values()) {
      const edges = this.around.get(node.key);
      if (node.kind === "agent" && edges.length && edges.every(({ event }) => gone.has(eventKey(event)))) gone.add(node.key);
    }
    for (const name of off) gone.add(clusterKey(name));
    for (const edge of this.edges.values()) if (gone.has(edge.from) || gone.has(edge.to)) gone.add(edge.key);
    return gone;
  }

  /** Events and agents whose name holds a text, the closest first. */
  find(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    const ranked = [];
    for (const node of this.nodes.values()) {
      const at = `${node.name}\n${node.id ?? ""}`.toLowerCase().indexOf(wanted);
      if (at >= 0) ranked.push([at, node.name.length, node]);
    }
    ranked.sort((a, b) => a[0] - b[0] || a[1] - b[1] || (a[2].key < b[2].key ? -1 : 1));
    return ranked.slice(0, MOST_HITS).map(([, , node]) => node);
  }

  /** The edges on which an event of this type, from this source, is seen to move. */
  moved(type, source) {
    const from = loose(source ?? "");
    const fitting = this.patterns.filter(([fits]) => fits(type)).map(([, node]) => node);
    return [...new Set([...(this.loosely.get(loose(type)) ?? []), ...fitting])].flatMap(({ key }) => {
      const edges = this.around.get(key);
      const sent = edges.filter((edge) => edge.kind === "publishes");
      const own = sent.filter((edge) => loose(edge.agent) === from || loose(this.nodes.get(edge.from).name) === from);
      return [...(own.length ? own : sent), ...edges.filter((edge) => edge.kind === "subscribes")];
    });
  }

  /** The keys of a part of the picture: `id` as our drawings tell it, else its title. */
  keyOf({ id, title }) {
    const told = id.replace(/#\d+$/, "");
    for (const key of [id, told]) if (this.nodes.has(key) || this.edges.has(key)) return key;
    const [from, to] = title.split("->").map((name) => name.trim());
    if (to === undefined) return [eventKey(from), agentKey(from), from].find((key) => this.nodes.has(key)) ?? null;
    return [`pub:${from}|${to}`, `sub:${from}|${to}`].find((key) => this.edges.has(key)) ?? null;
  }
}

/** How much moves on an edge, in words: `12/s`, `3.4/min`. */
export function formatRate(perSecond) {
  if (!perSecond) return "0";
  if (perSecond >= 1) return `${trim(perSecond)}/s`;
  return perSecond * 60 >= 1 ? `${trim(perSecond * 60)}/min` : `${trim(perSecond * 3600)}/h`;
}

const trim = (value) => String(value >= 10 ? Math.round(value) : Math.round(value * 10) / 10);

/** How wide an edge is for a rate per second, in units of the picture: 1 to 7. */
export const widthFor = (rate) => Math.min(7, 1.2 + 1.3 * Math.log10(1 + rate * 60));

/** The keys that a comparison names: { added, removed, changed }, each a Set. */
export function keysOf(diff) {
  const keys = (part) => new Set([
    ...(part?.events ?? []).map((one) => eventKey(named(one, "name"))),
    ...(part?.agents ?? []).map((one) => agentKey(named(one, "id"))),
    ...(part?.edges ?? []).map(edgeKey),
  ]);
  return { added: keys(diff.added), removed: keys(diff.removed), changed: keys(diff.changed) };
}

const named = (one, field) => (typeof one === "string" ? one : one[field]);

const quoted = (text) => `"${String(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
const RED = 'color="#b42318" fontcolor="#b42318" style="dashed"';

/** DOT with what a comparison found removed drawn into it, where Graphviz may lay it out. */
export function withRemoved(dot, diff, nameOf) {
  const end = dot.lastIndexOf("}");
  const gone = diff?.removed;
  if (end < 0 || !gone) return dot;
  const node = (key, name, shape) => `  ${quoted(nameOf(key))} [id=${quoted(key)} label=${quoted(`− ${name}`)} shape=${shape} ${RED} fillcolor="#ffffff"];`;
  const lines = [
    ...(gone.events ?? []).map((one) => node(eventKey(named(one, "name")), named(one, "name"), "ellipse")),
    ...(gone.agents ?? []).map((one) => node(agentKey(named(one, "id")), named(one, "id"), "box")),
    ...(gone.edges ?? []).map((edge) => {
      const [agent, event] = [nameOf(agentKey(edge.agent)), nameOf(eventKey(edge.event))].map(quoted);
      return `  ${edge.kind === "publishes" ? `${agent} -> ${event}` : `${event} -> ${agent}`} [id=${quoted(edgeKey(edge))} ${RED}];`;
    }),
  ];
  return `${dot.slice(0, end)}${lines.join("\n")}\n${dot.slice(end)}`;
}
