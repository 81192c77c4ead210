// One picture in the page: which of its parts stand for what, and the marks put on them.
// Parts are marked in place, so nothing is laid out again.

import { clusterKey, formatRate, widthFor } from "./flowmodel.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST_LABELS = 80;
const PULSE_MS = 700;
const MOST_PULSES = 300;
const STATES = ["moving", "failing", "still"];

const element = (name, attributes = {}, text = "") => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

export class Picture {
  /** `svg` as cleanSvg made it, `flow` the model it shows. */
  constructor(svg, flow) {
    Object.assign(this, { svg, flow, parts: new Map(), names: new Map(), extras: new Map(), marks: new Map(), pulses: new Map() });
    const { x, y, width, height } = svg.viewBox.baseVal;
    this.whole = { x, y, width, height };
    for (const part of svg.querySelectorAll("g.node, g.edge")) this.take(part);
    this.under = element("g", { class: "overlay" });
    this.over = element("g", { class: "overlay" });
    for (const part of svg.querySelectorAll("g.cluster")) this.parts.set(clusterKey(part.key.title.replace(/^cluster_/, "")), [part]);
    const first = svg.querySelector("g.node, g.edge");
    (first?.parentNode ?? svg).insertBefore(this.under, first);
    (first?.parentNode ?? svg).append(this.over);
  }

  take(part) {
    const key = this.flow.keyOf(part.key);
    this.names.set(key, part.key.title);
    part.key = key;
    if (!key) return;
    if (!this.parts.has(key)) this.parts.set(key, []);
    this.parts.get(key).push(part);
    if (part.classList.contains("edge")) grip(part);
  }

  has(key) {
    return this.parts.has(key);
  }

  /** The key of the node or edge at an element, or null. */
  keyAt(target) {
    return target?.closest?.("g.node, g.edge, g.extra")?.key ?? null;
  }

  /** Where a part lies, in units of the picture's viewBox. */
  box(key) {
    const part = this.parts.get(key)?.[0];
    if (!part) return null;
    const { x, y, width, height } = part.getBBox();
    const matrix = this.svg.getScreenCTM().inverse().multiply(part.getScreenCTM());
    const at = new DOMPoint(x, y).matrixTransform(matrix);
    const end = new DOMPoint(x + width, y + height).matrixTransform(matrix);
    return { x: at.x, y: at.y, width: end.x - at.x, height: end.y - at.y };
  }

  /** The fill of each namespace's events, else of its agents. */
  colours() {
    const found = new Map();
    for (const kind of ["event", "agent"]) {
      for (const node of this.flow.nodes.values()) {
        if (node.kind !== kind || found.has(node.namespace)) continue;
        const fill = this.parts.get(node.key)?.[0].querySelector("[fill]:not([fill=none]):not(text)")?.getAttribute("fill");
        if (fill) found.set(node.namespace, fill);
      }
    }
    return found;
  }

  /** Let exactly these keys carry a class. */
  mark(name, keys) {
    const before = this.marks.get(name) ?? new Set();
    for (const key of before) if (!keys.has(key)) this.each(key, (part) => part.classList.remove(name));
    for (const key of keys) if (!before.has(key)) this.each(key, (part) => part.classList.add(name));
    this.marks.set(name, new Set(keys));
  }

  each(key, act) {
    for (const part of this.parts.get(key) ?? []) act(part);
    for (const part of this.extras.get(key) ?? []) act(part);
  }

  /** Put something beside the parts of a key; what they are marked with, it is as well. */
  add(key, layer, made) {
    made.key = key;
    for (const [name, keys] of this.marks) made.classList.toggle(name, keys.has(key));
    this.extras.set(key, [...(this.extras.get(key) ?? []), made]);
    layer.append(made);
  }

  /** Leave only these clear, or everything when null. */
  focus(keys, chosen) {
    this.svg.classList.toggle("focused", Boolean(keys));
    this.mark("near", keys ?? new Set());
    this.mark("chosen", new Set(chosen ? [chosen] : []));
  }

  /** Show what a comparison found: a sign beside each node, a colour on each part. */
  compare(found) {
    this.drop("sign");
    for (const [name, sign] of [["added", "+"], ["removed", "−"], ["changed", "~"]]) {
      this.mark(name, found?.[name] ?? new Set());
      const parts = [...(found?.[name] ?? [])].flatMap((key) => this.parts.get(key) ?? []);
      for (const part of parts) this.sign(part, sign, name);
    }
    this.svg.classList.toggle("comparing", Boolean(found));
  }

  sign(part, sign, name) {
    const { x, y, width, height } = part.getBBox();
    const at = part.classList.contains("node") ? { x: x - 2, y: y + 4 } : { x: x + width / 2, y: y + height / 2 };
    this.add(part.key, this.over, element("text", { class: `sign ${name}`, x: at.x, y: at.y, "text-anchor": "middle" }, sign));
  }

  drop(name) {
    for (const part of this.svg.querySelectorAll(`.overlay > .${name}`)) {
      part.remove();
      this.extras.set(part.key, this.extras.get(part.key).filter((one) => one !== part));
    }
  }

  /** Show traffic: `edges` by key, as the server tells them; null takes it off. */
  paint(edges) {
    this.drop("rate");
    this.drop("extra");
    const moving = [...(edges?.values() ?? [])].filter(({ count }) => count > 0).length;
    const labelled = moving <= MOST_LABELS;
    this.svg.classList.toggle("live", moving > 0);
    for (const { key } of this.flow.edges.values()) {
      for (const part of this.parts.get(key) ?? []) this.flowing(part, edges?.get(key), labelled);
    }
    for (const [key, told] of edges ?? []) if (told.ends && !this.has(key)) this.extra(key, told);
  }

  flowing(part, told, labelled) {
    const width = told?.count ? widthFor(told.rate).toFixed(1) : "1";
    const state = told?.count ? (told.errors ? "failing" : "moving") : "still";
    // Every write costs a new style: most edges are as they were three seconds ago.
    if (part.flowing !== `${told ? state : ""} ${width}`) {
      part.flowing = `${told ? state : ""} ${width}`;
      for (const name of STATES) part.classList.toggle(name, Boolean(told) && name === state);
      part.style.setProperty("--width", width);
    }
    if (labelled && told?.count) this.label(part, told);
  }

  label(part, { rate, errors }) {
    const path = part.querySelector("path");
    const at = path?.getPointAtLength?.(path.getTotalLength() / 2);
    if (!at) return;
    const text = element("text", { class: `rate ${errors ? "failing" : ""}`, x: at.x + 4, y: at.y }, formatRate(rate));
    if (errors) text.append(element("tspan", {}, ` ✕ ${errors}`));
    this.add(part.key, this.over, text);
  }

  // Seen live, not in the code: drawn from end to end when both are in the picture.
  extra(key, told) {
    const [from, to] = told.ends.map((end) => this.parts.get(end)?.[0]?.getBBox());
    if (!from || !to) return;
    const [a, b] = [rim(from, middle(to)), rim(to, middle(from))];
    const turn = Math.atan2(b.y - a.y, b.x - a.x);
    const wing = (by) => `${b.x - 7 * Math.cos(turn + by)} ${b.y - 7 * Math.sin(turn + by)}`;
    const group = element("g", { class: "extra" });
    group.append(element("path", { d: `M${a.x} ${a.y}L${b.x} ${b.y}` }), element("path", { class: "head", d: `M${b.x} ${b.y}L${wing(0.4)}L${wing(-0.4)}Z` }));
    group.style.setProperty("--width", widthFor(told.rate));
    this.add(key, this.under, group);
  }

  /** Let these light up for a moment. */
  pulse(keys) {
    const now = performance.now();
    for (const key of keys) {
      if (this.pulses.size >= MOST_PULSES) break;
      if (!this.pulses.has(key)) this.each(key, (part) => part.classList.add("pulse"));
      this.pulses.set(key, now + PULSE_MS);
    }
    this.calming ??= setInterval(() => this.calm(), PULSE_MS / 4);
  }

  calm() {
    const now = performance.now();
    for (const [key, until] of this.pulses) {
      if (until > now) continue;
      this.pulses.delete(key);
      this.each(key, (part) => part.classList.remove("pulse"));
    }
    if (this.pulses.size) return;
    clearInterval(this.calming);
    this.calming = null;
  }
}

// A line is too thin to be pointed at: something wider that is not painted lies on it.
function grip(part) {
  const line = part.querySelector("path");
  if (line) part.append(element("path", { class: "grip", d: line.getAttribute("d"), fill: "none" }));
}

const middle = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 });

// Where the way from a box's middle to a place leaves the box.
function rim(box, to) {
  const from = middle(box);
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const share = Math.min(box.width / 2 / Math.abs(dx || 1e-9), box.height / 2 / Math.abs(dy || 1e-9), 1);
  return { x: from.x + dx * share, y: from.y + dy * share };
}
