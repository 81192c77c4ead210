// The board: a column for each state, a card for each pull request. Cards are links that
// the arrow keys walk; one that changes its column glides there.

import { html, useLayoutEffect, useMemo, useRef, useState } from "./preact-htm.js";
import { go, pageLink, readAddress, useHotkeys, useMedia } from "./hooks.js";
import { COLUMNS, keyOf } from "./pullmodel.js";
import { Marks, Name, linkOf } from "./pullparts.js";
import { Age, formatCount } from "./ui.js";

const GLIDE = { duration: 280, easing: "cubic-bezier(0.2, 0, 0, 1)" };
const MOST_MOVING = 60;
const PHONE = "(max-width: 720px)";
const STEPS = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] };

/** `stale` are those of the figures by key, `column` the one that a phone shows. */
export function Board({ list, rows, stale, opened, column, onOpen, onMove }) {
  const box = useRef();
  const [active, setActive] = useState(null);
  const columns = COLUMNS.map((one) => ({ ...one, pulls: inOrder(rows, one) }));
  const walk = columns.map(({ pulls }) => pulls.map(keyOf));
  const entry = walk.flat().includes(active) ? active : walk.flat()[0];
  const narrow = useMedia(PHONE);
  useMotion(box, rows, list.answered);
  useHotkeys({ ArrowDown: () => Boolean(entry) && isFree() && cardOf(box, entry).focus() });
  const moveTo = (key) => {
    cardOf(box, key).focus();
    onMove(key);
  };
  const press = (event) => {
    const key = event.target.dataset?.key;
    const to = key && nextOf(walk, key, event.key);
    if (!to) return;
    event.preventDefault();
    moveTo(to);
  };
  const cards = { list, stale, opened, entry, onOpen, onFocus: setActive };
  return html`<div class="board" ref=${box} onKeyDown=${press}>
    ${narrow ? html`<${OneColumn} columns=${columns} chosen=${column} cards=${cards} />` : columns.map((one) => html`<${Column} key=${one.id} ...${one} cards=${cards} />`)}
  </div>`;
}

// By when they were opened, so that a change moves nothing but what it moves to another
// column; what is done by when it was done.
function inOrder(rows, { id, statuses }) {
  const found = rows.filter(({ status }) => statuses.includes(status));
  if (id === "done") return found;
  return found.sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at) || b.pr_number - a.pr_number);
}

function Column({ id, name, pulls, cards, children }) {
  return html`<section class="column" aria-labelledby="column-${id}">
    <h2 id="column-${id}">${name} <${Count} id=${id} pulls=${pulls} list=${cards.list} /></h2>
    <${Cards} pulls=${pulls} cards=${cards} />
    ${id === "done" && cards.list.more && html`<p class="muted older"><a href=${pageLink("pulls", { ...readAddress(), view: "table" })}>Older ones in the table</a></p>`}
  </section>`;
}

const Count = ({ id, pulls, list }) =>
  html`<span class="tally">${formatCount(pulls.length)}${id === "done" && list.cursors.done && html`<span title="More are in the table">+</span>`}</span>`;

const Cards = ({ pulls, cards: { list, stale, opened, entry, onOpen, onFocus } }) =>
  html`<ol class="cards">${pulls.map((pull) => {
    const key = keyOf(pull);
    return html`<${Card} key=${key} id=${key} pull=${pull} stale=${stale.get(key)} opened=${key === opened} entry=${key === entry} fresh=${list.isFresh(pull)} onOpen=${onOpen} onFocus=${onFocus} />`;
  })}</ol>`;

function Card({ id, pull, stale, opened, entry, fresh, onOpen, onFocus }) {
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    onOpen(id, { byKey: event.detail === 0 });
  };
  // What is on it is drawn anew only when it has changed: there may be hundreds.
  const told = useMemo(() => html`<${Told} pull=${pull} stale=${stale} />`, [pull, stale]);
  return html`<li><a class="card ${fresh ? "fresh" : ""}" href=${linkOf(pull)} data-key=${id} tabindex=${entry ? 0 : -1} aria-current=${opened ? "true" : null}
    onClick=${open} onFocus=${() => onFocus(id)}>${told}</a></li>`;
}

const Told = ({ pull, stale }) =>
  html`<${Name} pull=${pull} />
    <strong class="card-title"><bdi>${pull.title}</bdi></strong>
    <span class="card-by muted"><bdi>${pull.author}</bdi> · <${Age} value=${pull.created_at} /></span>
    <span class="marks"><${Marks} pull=${pull} stale=${stale} /></span>`;

// A phone shows one column, which the address names.
function OneColumn({ columns, chosen, cards }) {
  const shown = columns.find(({ id }) => id === chosen) ?? columns.find(({ pulls }) => pulls.length) ?? columns[0];
  const choose = (id) => go({ column: id }, { replace: true });
  const move = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    choose(columns[(columns.indexOf(shown) + by + columns.length) % columns.length].id);
    requestAnimationFrame(() => document.querySelector(".column-tabs [aria-selected=true]")?.focus());
  };
  return html`<div class="tabs column-tabs" role="tablist" aria-label="Columns" onKeyDown=${move}>
      ${columns.map(({ id, name, pulls }) => html`<button type="button" role="tab" id="column-tab-${id}" aria-controls="column-panel" aria-selected=${String(id === shown.id)}
        tabindex=${id === shown.id ? 0 : -1} onClick=${() => choose(id)}>${name} <${Count} id=${id} pulls=${pulls} list=${cards.list} /></button>`)}</div>
    <div role="tabpanel" id="column-panel" aria-labelledby="column-tab-${shown.id}">
      ${shown.pulls.length ? html`<${Cards} pulls=${shown.pulls} cards=${cards} />` : html`<p class="muted none">None here.</p>`}
    </div>`;
}

const isFree = () => !document.activeElement || document.activeElement === document.body;
const cardOf = (box, key) => [...box.current.querySelectorAll("[data-key]")].find((card) => card.dataset.key === key);

// Which card an arrow leads to: along the column, or to the next column that has any.
function nextOf(walk, key, pressed) {
  const column = walk.findIndex((keys) => keys.includes(key));
  const row = walk[column]?.indexOf(key);
  if (pressed === "Home" || pressed === "End") return walk[column].at(pressed === "Home" ? 0 : -1);
  if (!Object.hasOwn(STEPS, pressed)) return null;
  const [across, down] = STEPS[pressed];
  if (down) return walk[column][row + down] ?? key;
  for (let at = column + across; walk[at]; at += across) if (walk[at].length) return walk[at][Math.min(row, walk[at].length - 1)];
  return key;
}

// Where cards were is read before they are drawn anew; then they glide from there. The
// focus goes with the card that has it.
function useMotion(box, rows, enabled) {
  const before = useRef(null);
  const drawn = useRef(rows);
  if (drawn.current !== rows && box.current && enabled) before.current = placesIn(box.current);
  drawn.current = rows;
  useLayoutEffect(() => {
    const { places, focused } = before.current ?? {};
    before.current = null;
    if (!places) return;
    if (focused && isFree()) cardOf(box, focused)?.focus({ preventScroll: true });
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) glide(box.current, places);
  }, [rows]);
}

function placesIn(box) {
  const cards = [...box.querySelectorAll("[data-key]")];
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  return { focused, places: new Map(cards.map((card) => [card.dataset.key, card.getBoundingClientRect()])) };
}

function glide(box, places) {
  const moved = [...box.querySelectorAll("[data-key]")].map((card) => movement(card, places.get(card.dataset.key))).filter(Boolean);
  if (moved.length > MOST_MOVING) return; // Another selection, not a move.
  for (const [card, frames] of moved) card.animate(frames, GLIDE);
}

function movement(card, from) {
  if (!from) return [card, [{ opacity: 0 }, { opacity: 1 }]];
  const to = card.getBoundingClientRect();
  const [x, y] = [from.left - to.left, from.top - to.top];
  if (Math.abs(x) + Math.abs(y) < 1) return null;
  return [card, [{ transform: `translate(${x}px, ${y}px)`, zIndex: 1 }, { transform: "none", zIndex: 1 }]];
}
