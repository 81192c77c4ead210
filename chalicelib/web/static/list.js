// A list of the server's, by pages: its tools, its table, and what stands there when it
// is empty or failed.

import { html, useRef } from "./preact-htm.js";
import { enterTable, useHotkeys } from "./hooks.js";
import { Table } from "./table.js";
import { Announce, ErrorPanel, Skeleton, plural } from "./ui.js";

const HEAD = 33;
const ROW = 32;

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

/** A short table beside a list, as high as its rows up to `most`. */
export function SmallTable({ title, hint, rows, most = 6, children, ...table }) {
  return html`<section class="panel small-list" aria-label=${title}>
    <header><h2>${title}</h2><p class="muted">${hint}</p>${children}</header>
    <div class="feed-body" style=${{ height: `${HEAD + ROW * Math.min(rows.length, most)}px` }}>
      <${Table} label=${title} rows=${rows} ...${table} />
    </div>
  </section>`;
}
