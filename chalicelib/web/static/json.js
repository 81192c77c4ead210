// JSON to read: formatted, folded, searched. Built as lines, so that a payload of any
// size costs only the lines in sight; every value ends up in a text node.

import { html, useMemo, useState } from "./preact-htm.js";
import { CopyButton, plural } from "./ui.js";

const LINES = 400;
const OPEN_DEPTH = 5;
const OPEN_ITEMS = 50;
const LONGEST_TEXT = 2_000;
const DEEPEST = 60;

export function JsonView({ value, label = "JSON" }) {
  const [query, setQuery] = useState("");
  const [toggled, setToggled] = useState(new Set());
  const [limit, setLimit] = useState(LINES);
  const { lines, hits, more } = useMemo(() => linesOf(value, { query, toggled, limit }), [value, query, toggled, limit]);
  const toggle = (path) => {
    const next = new Set(toggled);
    if (!next.delete(path)) next.add(path);
    setToggled(next);
  };
  return html`<div class="json">
    <div class="json-tools">
      <input type="search" aria-label="Search in ${label}" placeholder="Search in ${label}" value=${query}
        onInput=${(event) => setQuery(event.target.value)} />
      <span class="muted" aria-live="polite">${query && (hits ? `${hits} found` : "none found")}</span>
      <${CopyButton} text=${() => JSON.stringify(value, null, 2)}>Copy<//>
    </div>
    <div class="json-lines" role="group" aria-label=${label} tabindex="0">
      ${lines.map((line) => html`<${Line} key=${line.id} line=${line} query=${query} onToggle=${toggle} />`)}
    </div>
    ${more && html`<button type="button" class="button small" onClick=${() => setLimit(limit + 5 * LINES)}>Show more lines</button>`}
  </div>`;
}

function Line({ line, query, onToggle }) {
  const { path, depth, name, text, kind, open, count } = line;
  const fold = count && html`<button type="button" class="fold" aria-expanded=${String(open)}
    aria-label="${open ? "Fold" : "Unfold"} ${name ?? (depth ? "item" : "all")}" onClick=${() => onToggle(path)}>${open ? "▾" : "▸"}</button>`;
  return html`<div class="json-line" style=${{ paddingLeft: `${depth * 14 + 16}px` }}>
    ${fold}${name !== undefined && html`<span class="key"><${Marked} text=${name} query=${query} /></span>: `}
    <span class=${kind}><${Marked} text=${text} query=${query} /></span>
    ${count && !open && html`<span class="muted count">${count}</span>`}
  </div>`;
}

function Marked({ text, query }) {
  const at = query ? text.toLowerCase().indexOf(query.toLowerCase()) : -1;
  if (at < 0) return text;
  const end = at + query.length;
  return html`${text.slice(0, at)}<mark>${text.slice(at, end)}</mark>${text.slice(end)}`;
}

function linesOf(value, { query, toggled, limit }) {
  const walk = { lines: [], hits: 0, more: false, query: query.toLowerCase(), toggled, limit };
  visit(walk, value, { path: "$", depth: 0 });
  return walk;
}

// Returns whether something in this value was found; without a search everything is.
function visit(walk, value, place) {
  if (walk.lines.length >= walk.limit) return !(walk.more = true);
  const found = mark(walk, place.name, value) || Boolean(place.within);
  if (value === null || typeof value !== "object") return add(walk, leaf(value, place), found);
  return branch(walk, value, place, found);
}

function add(walk, line, found) {
  if (found) walk.lines.push({ id: `${line.path}${line.depth}`, ...line });
  return found;
}

function mark(walk, name, value) {
  if (!walk.query) return true;
  const leafText = value === null || typeof value !== "object" ? textOf(value) : "";
  const found = `${name ?? ""}\n${leafText}`.toLowerCase().includes(walk.query);
  if (found) walk.hits += 1;
  return found;
}

function branch(walk, value, place, found) {
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const [start, end] = isList ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return add(walk, { ...place, kind: "mark-up", text: start + end }, found);
  const open = isOpen(walk, place, entries.length);
  const count = plural(entries.length, isList ? "item" : "key");
  const from = walk.lines.length;
  walk.lines.push({ id: `${place.path}<`, ...place, kind: "mark-up", text: open ? start : `${start}…${end}`, open, count });
  const inside = open && visitAll(walk, entries, { ...place, within: walk.query && found }, isList);
  if (!found && !inside) walk.lines.length = from;
  else if (open) walk.lines.push({ id: `${place.path}>`, path: place.path, depth: place.depth, kind: "mark-up", text: end });
  return found || inside;
}

function visitAll(walk, entries, { path, depth, within }, isList) {
  let found = false;
  for (const [name, value] of entries) {
    const place = { path: `${path}/${name}`, depth: depth + 1, name: isList ? undefined : name, within };
    found = visit(walk, value, place) || found;
    if (walk.more) break;
  }
  return found;
}

// A search opens everything; else what is deep or long starts folded.
function isOpen(walk, { path, depth }, size) {
  if (depth >= DEEPEST) return false;
  if (walk.query) return true;
  const byDefault = depth < OPEN_DEPTH && (depth === 0 || size <= OPEN_ITEMS);
  return walk.toggled.has(path) ? !byDefault : byDefault;
}

function leaf(value, place) {
  return { ...place, kind: value === null ? "word" : KINDS[typeof value] ?? "word", text: cut(textOf(value)) };
}

const KINDS = { string: "string", number: "number" };

function textOf(value) {
  return JSON.stringify(value) ?? "null";
}

function cut(text) {
  const rest = text.length - LONGEST_TEXT;
  return rest > 0 ? `${text.slice(0, LONGEST_TEXT)} … ${rest} more characters, copy shows all` : text;
}

const SKETCH = 160;

/** The first characters of a value as JSON, at a cost that does not grow with it. */
export function sketch(value) {
  const out = { text: "" };
  draw(out, value);
  return out.text.length > SKETCH ? `${out.text.slice(0, SKETCH)}…` : out.text;
}

function draw(out, value) {
  if (out.text.length > SKETCH) return;
  if (value === null || typeof value !== "object") out.text += textOf(typeof value === "string" ? value.slice(0, SKETCH) : value);
  else drawAll(out, value, Array.isArray(value));
}

function drawAll(out, value, isList) {
  out.text += isList ? "[" : "{";
  let comma = "";
  for (const name in value) {
    if (out.text.length > SKETCH) return;
    out.text += isList ? comma : `${comma}${name}: `;
    draw(out, value[name]);
    comma = ", ";
  }
  out.text += isList ? "]" : "}";
}
