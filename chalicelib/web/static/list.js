// A list of the server's, by pages: its tools, its table, and what stands there when it
// is empty or failed.

import { html, useRef, useState } from "./preact-htm.js";
import { enterTable, useHotkeys } from "./hooks.js";
import { Table } from "./table.js";
import { Announce, ErrorPanel, Skeleton, plural } from "./ui.js";

const HEAD = 33;

/**
 * `list` is what usePages returns, `empty` what to show without rows, `noun` what a row
 * is called, `waiting` what stands over the table. The rest as in Table.
 */
export function ListPanel({ label, noun, list, tools, empty, waiting, children, ...table }) {
  const box = useRef();
  useHotkeys({ ArrowDown: () => enterTable(box.current) });
  const { rows, error, refresh } = list;
  return html`<section class="panel list" aria-label=${label}>
    ${tools && html`<header class="feed-head">${tools}</header>`}
    ${error && rows && html`<${ErrorPanel} title="What is shown may be old" error=${error} onRetry=${refresh} />`}
    <div class="feed-body">
      ${waiting}
      ${rows?.length
        ? html`<${Table} label=${label} rows=${rows} boxRef=${box} foot=${html`<${More} list=${list} noun=${noun} />`} ...${table} />`
        : html`<div class="scroll"><${Nothing} list=${list} empty=${empty} /></div>`}
    </div>
    <${Announce} text=${rows ? `${plural(rows.length, noun)} shown` : ""} />
    ${children}
  </section>`;
}

/** What stands there without rows. */
export function Nothing({ list, empty }) {
  if (list.error && !list.rows) return html`<${ErrorPanel} title="The list could not be read" error=${list.error} onRetry=${list.refresh} />`;
  if (!list.rows) return html`<${Skeleton} lines=${6} />`;
  return list.more ? html`<${More} list=${list} noun="row" />` : empty;
}

function More({ list, noun }) {
  if (!list.more) return html`<p class="foot muted">${plural(list.rows.length, noun)}.</p>`;
  return html`<p class="foot"><button type="button" class="button" disabled=${list.busy} onClick=${list.loadMore}>${list.busy ? "Loading …" : "Load more"}</button></p>`;
}

/**
 * Rows that come, move or go would make a table jump while somebody reads: they wait.
 *
 * `keyOf(row)`, `at(row)` by which they stand newest first, and `isOther(row, before)`,
 * which tells whether a row that changed belongs elsewhere. Answers with the rows as
 * they are to be shown, how many are `waiting`, and what lets them in.
 */
export function useCalm(list, order) {
  const [reading, setReading] = useState("");
  const held = useRef(null);
  if (!reading || !list.answered) held.current = null;
  else held.current ??= list.rows;
  const release = () => {
    held.current = list.rows;
    document.querySelector(".main .list .scroll").scrollTop = 0;
    setReading("");
  };
  return { ...calm(list, held.current, order), onReading: setReading, release };
}

// In the order in which they were held, each as it is now; older ones go to the end, and
// where the list still knows those that no longer fit, they stay.
function calm({ rows, known }, held, { keyOf, at, isOther }) {
  if (!rows || !held?.length || held === rows) return { rows, waiting: 0 };
  const now = new Map(rows.map((row) => [keyOf(row), row]));
  const kept = held.map((row) => now.get(keyOf(row)) ?? known?.get(keyOf(row))).filter(Boolean);
  const before = new Map(held.map((row) => [keyOf(row), row]));
  const others = rows.filter((row) => !before.has(keyOf(row)));
  const moment = (row) => Date.parse(at(row));
  const older = others.filter((row) => moment(row) <= moment(held.at(-1)));
  // What stands before the end and is not there has gone; the rest is on a later page.
  const gone = kept.filter((row) => !now.has(keyOf(row)) && !(moment(row) < moment(rows.at(-1))));
  const moved = kept.filter((row) => now.has(keyOf(row)) && isOther(row, before.get(keyOf(row))));
  return { rows: [...kept, ...older], waiting: others.length - older.length + moved.length + gone.length };
}

/** A short table beside a list, as high as its rows up to `most`. */
export function SmallTable({ title, hint, rows, most = 6, children, ...table }) {
  return html`<section class="panel small-list" aria-label=${title}>
    <header><h2>${title}</h2><p class="muted">${hint}</p>${children}</header>
    <div class="feed-body" style=${{ height: `calc(${HEAD}px + var(--row) * ${Math.min(rows.length, most)})` }}>
      <${Table} label=${title} rows=${rows} ...${table} />
    </div>
  </section>`;
}
