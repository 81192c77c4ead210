// The page `/dead-letters`: what could not be delivered or handled, and what to do with it.

import { html, useEffect, useState } from "./preact-htm.js";
import { getQueues, getSubscriptions, getUndelivered } from "./api.js";
import { DeadLetterDetails } from "./deadletter.js";
import { Question } from "./deadletterquestion.js";
import { SubscriptionName } from "./delivery.js";
import { escaping, go, linkTo, pathOf, useDrawer, useHotkeys, usePages, usePoll } from "./hooks.js";
import { ListPanel, SmallTable } from "./list.js";
import { useSource } from "./source.js";
import { DeadLetterDrawer, PurgeQueueQuestion, RedriveQuestion } from "./status.js";
import { Badge, EmptyState, ErrorPanel, Guard, PageTitle, Time, formatCount, plural } from "./ui.js";

const CLOSED = { queue: null };

export default function DeadLetterPage({ place, source, config, stats }) {
  const { id, query } = place;
  const of = query.subscription?.[0] ?? "";
  useSource(source, config, null);
  const list = usePages((cursor) => getUndelivered(of, cursor), (page) => page.dead_letters, { key: of });
  const known = usePoll(() => getSubscriptions(null, 200), 30_000);
  const queues = usePoll(getQueues, 5_000);
  const drawer = useDrawer(CLOSED, "dead-letters");
  const [chosen, setChosen] = useState(new Set());
  useEffect(() => setChosen(new Set()), [of]);
  const rows = list.rows ?? [];
  const selected = rows.filter((row) => chosen.has(row.id)).map((row) => row.id);
  const queue = query.queue?.[0];
  useHotkeys({ Escape: escaping(id || queue, drawer.close) });
  const changed = () => {
    setChosen(new Set());
    for (const one of [list, stats, queues]) one.refresh();
  };
  const toggle = (rowId) => setChosen((before) => (before.has(rowId) ? new Set([...before].filter((one) => one !== rowId)) : new Set([...before, rowId])));
  const toggleAll = () => setChosen(selected.length === rows.length ? new Set() : new Set(rows.map((row) => row.id)));
  const names = Object.fromEntries((known.data?.subscriptions ?? []).map((row) => [row.id, row.name]));
  const tools = html`<${Choice} of=${of} known=${known.data?.subscriptions ?? []} /><${Bulk} of=${of} name=${names[of]} list=${list} selected=${selected} onDone=${changed} />`;
  return html`<main id="main" class="main" tabindex="-1">
      <${PageTitle} title="Dead letters">What was tried until its retries were used up. Mend the cause, then send it again.<//>
      <${Guard}><${ListPanel} label="Dead letters" noun="dead letter" list=${list} tools=${tools} keyOf=${(row) => row.id} opened=${id}
        columns=${columnsOf({ chosen, toggle, names, all: rows.length > 0 && selected.length === rows.length, toggleAll })}
        empty=${html`<${None} of=${of} />`}
        onOpen=${(row, { byKey }) => drawer.open({}, { withKey: byKey, id: row.id })}
        onMove=${(row) => id && go(CLOSED, { replace: true, path: pathOf("dead-letters", row.id) })} /><//>
      <${Guard}><${Queues} queues=${queues} opened=${queue} onOpen=${(row, { byKey }) => drawer.open({ queue: row.name }, { withKey: byKey })} onDone=${changed} /><//>
    </main>
    ${id && html`<${Guard} key="one"><${DeadLetterDetails} key=${id} id=${id} names=${names} focus=${drawer.byKey} onClose=${drawer.close} onDone=${() => (changed(), drawer.close())} /><//>`}
    ${queue && html`<${Guard} key="queue"><${DeadLetterDrawer} queue=${queue} onClose=${drawer.close} /><//>`}`;
}

const columnsOf = ({ chosen, toggle, names, all, toggleAll }) => [
  {
    name: "Chosen",
    class: "col-check",
    head: html`<input type="checkbox" aria-label="Choose all that are shown" checked=${all} onChange=${toggleAll} />`,
    cell: (row) => html`<input type="checkbox" aria-label="Choose ${row.type} ${row.event_id}" checked=${chosen.has(row.id)} onChange=${() => toggle(row.id)} />`,
  },
  { name: "Died", class: "col-time", cell: (row) => html`<${Time} value=${row.last_attempt_at} />` },
  { name: "Type", class: "col-type", cell: (row) => html`<a href=${linkTo(CLOSED, pathOf("dead-letters", row.id))} tabindex="-1" title=${row.type}>${row.type}</a>` },
  { name: "Subscription", class: "col-of", cell: (row) => html`<${SubscriptionName} id=${row.subscription} name=${names[row.subscription]} own=${true} />` },
  { name: "Reason", class: "col-reason", cell: (row) => html`<span title=${row.reason}>${row.reason ?? "–"}</span>` },
  { name: "Status", class: "col-status number", cell: (row) => html`${row.last_status ?? html`<span class="muted">none</span>`}` },
  { name: "Attempts", class: "col-attempts number", cell: (row) => formatCount(row.attempts.length) },
];

const Choice = ({ of, known }) => html`<div class="filter-bar"><select aria-label="Subscription" value=${of} onChange=${(event) => go({ subscription: event.target.value || null })}>
  <option value="">Every subscription</option>
  ${of && !known.some(({ id }) => id === of) && html`<option value=${of}>${of}</option>`}
  ${known.map(({ id, name }) => html`<option value=${id}>${name ?? id}</option>`)}
</select></div>`;

const None = ({ of }) =>
  of
    ? html`<${EmptyState} title="This subscription has no dead letters.">
        <p>All that it was to be sent arrived, or is still being tried.</p>
        <p class="actions"><button type="button" class="button" onClick=${() => go({ subscription: null })}>Show every subscription's</button></p><//>`
    : html`<${EmptyState} title="Nothing is dead.">
        <p>An event comes here when a subscription's target refused it, or did not answer, as often as its retries allow: 8 attempts in 27.6 hours unless it says otherwise; or when a handler in a client gave it up.</p><//>`;

// Retry and purge, for what is chosen, else for all of this filter.
function Bulk({ of, name, list, selected, onDone }) {
  const [asking, ask] = useState(null);
  const some = selected.length > 0;
  if (!list.rows?.length) return null;
  const number = some ? plural(selected.length, "dead letter") : `${list.more ? "more than " : ""}${plural(list.rows.length, "dead letter")}`;
  const scope = some ? { ids: selected } : of ? { subscription: of } : { all: true };
  const words = some ? `${formatCount(selected.length)} chosen` : of ? "all of this filter" : "all";
  return html`<div class="feed-tools">
    <button type="button" class="button" onClick=${() => ask("retry")}>Retry ${words}</button>
    <button type="button" class="button" onClick=${() => ask("purge")}>Purge ${words}</button>
    ${asking && html`<${Question} verb=${asking} number=${number} scope=${scope} whose=${of && !some ? (name ?? of) : null}
      onClose=${() => ask(null)} onDone=${() => (ask(null), onDone())} />`}
  </div>`;
}

function Queues({ queues, opened, onOpen, onDone }) {
  const [asked, ask] = useState(null);
  if (queues.error && !queues.data) return html`<${ErrorPanel} title="The queues could not be read" error=${queues.error} onRetry=${queues.refresh} />`;
  if (!queues.data) return null;
  const Asking = asked?.verb === "purge" ? PurgeQueueQuestion : RedriveQuestion;
  return html`<${SmallTable} title="Queues between functions" hint="What the platform itself could not handle lies apart, by queue." rows=${queues.data.queues} most=${8}
    columns=${queueColumns(queues.data.queues.some(({ dead }) => dead > 0) && ask)} keyOf=${(row) => row.name} opened=${opened} onOpen=${onOpen}>
    ${asked && html`<${Asking} queue=${asked.queue} onClose=${() => ask(null)} onDone=${onDone} />`}
  <//>`;
}

const queueColumns = (ask) => [
  { name: "Queue", class: "col-name", cell: (row) => html`<a href=${linkTo({ queue: row.name }, "dead-letters")} tabindex="-1"><code>${row.name}</code></a>` },
  { name: "Waiting", class: "col-count number col-extra", cell: (row) => formatCount(row.waiting) },
  { name: "In flight", class: "col-count number col-extra", cell: (row) => formatCount(row.in_flight) },
  { name: "Dead", class: "col-count number", cell: (row) => (row.dead ? html`<${Badge} kind="failed">${formatCount(row.dead)}<//>` : html`<span class="muted">0</span>`) },
  ...(ask ? [{
    name: "Actions",
    class: "col-actions",
    head: html`<span class="offscreen">Actions</span>`,
    cell: (row) => row.dead > 0 && html`<button type="button" class="button small" onClick=${() => ask({ verb: "redrive", queue: row })}>Redrive</button>
      ${" "}<button type="button" class="button small" onClick=${() => ask({ verb: "purge", queue: row })}>Purge</button>`,
  }] : []),
];
