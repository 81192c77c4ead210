// The page `/subscriptions`: who wants which events, how they get them, how it goes.

import { html } from "./preact-htm.js";
import { getSubscriptions } from "./api.js";
import { State, targetOf } from "./delivery.js";
import { escaping, go, linkTo, pathOf, useDrawer, useHotkeys, usePages } from "./hooks.js";
import { ListPanel, SmallTable } from "./list.js";
import { useSource } from "./source.js";
import { SubscriptionDrawer } from "./subscription.js";
import { NewSubscription } from "./subscriptionform.js";
import { EmptyState, Guard, Icon, Id, PageTitle, formatCount, formatSpan } from "./ui.js";

const CLOSED = { edit: null };
const NEW = "new";

export default function Subscriptions({ place, source, config }) {
  const { id, query } = place;
  useSource(source, config, null);
  const list = usePages(getSubscriptions, (page) => page.subscriptions);
  const drawer = useDrawer(CLOSED, "subscriptions");
  const make = () => drawer.open({}, { withKey: true, id: NEW });
  useHotkeys({ n: make, Escape: escaping(id, drawer.close) });
  const action = html`<a class="button primary" href=${linkTo(CLOSED, pathOf("subscriptions", NEW))} title="n"
    onClick=${(event) => (event.preventDefault(), make())}><${Icon} name="plus" />New subscription</a>`;
  const live = list.first?.live ?? [];
  return html`<main id="main" class="main" tabindex="-1">
      <${PageTitle} title="Subscriptions" actions=${action}>Who wants which events, how they get them, and how that goes.<//>
      <${Guard}><${ListPanel} label="Subscriptions" noun="subscription" list=${list} columns=${COLUMNS} keyOf=${(row) => row.id} opened=${id}
        empty=${html`<${None} action=${action} />`}
        onOpen=${(row, { byKey }) => drawer.open({}, { withKey: byKey, id: row.id })}
        onMove=${(row) => id && id !== NEW && go(CLOSED, { replace: true, path: pathOf("subscriptions", row.id) })} /><//>
      ${live.length > 0 && html`<${SmallTable} title="Live connections" hint="What WebSockets listen to, this page among them; each ends with its connection."
        rows=${live} columns=${LIVE_COLUMNS} keyOf=${(row) => `${row.target.client_id} ${row.id}`} classOf=${() => "plain"} onOpen=${() => {}} />`}
    </main>
    ${id === NEW && html`<${Guard} key="new"><${NewSubscription} onClose=${drawer.close} onDone=${list.refresh} /><//>`}
    ${id && id !== NEW && html`<${Guard} key="one"><${SubscriptionDrawer} key=${id} id=${id} known=${list.rows?.find((row) => row.id === id)}
      editing=${query.edit?.[0] === "1"} focus=${drawer.byKey} onClose=${drawer.close} onChanged=${list.refresh} /><//>`}`;
}

const None = ({ action }) =>
  html`<${EmptyState} title="No subscription yet.">
    <p>Events are in the log and on the live pages, but are sent to nobody. A subscription sends those of some topics to a webhook or a queue, and tries again until they arrive.</p>
    <p class="actions">${action}</p>
  <//>`;

const Count = ({ value, kind }) => html`<span class=${value > 0 ? (kind ?? "") : "muted"}>${formatCount(value)}</span>`;

const count = (name, field, hint, more = {}) => ({
  name,
  hint,
  class: `col-count number ${more.class ?? ""}`,
  cell: ({ counters }) => html`<${Count} value=${counters[field]} kind=${more.kind} />`,
});

const COLUMNS = [
  { name: "Name", class: "col-name", cell: (row) => html`<a href=${linkTo(CLOSED, pathOf("subscriptions", row.id))} tabindex="-1" title=${row.id}>${row.name ?? html`<code>${row.id}</code>`}</a>` },
  { name: "State", class: "col-state", cell: (row) => html`<${State} row=${row} />` },
  { name: "Topics", class: "col-topics", cell: (row) => html`<code title=${row.topics.join("\n")}>${row.topics.join(", ")}</code>` },
  { name: "Target", class: "col-target", cell: (row) => html`<span title=${targetOf(row.target)}>${targetOf(row.target)}</span>` },
  count("Delivered", "delivered", "Events that arrived", { class: "col-more" }),
  count("Failed", "failed", "Attempts that failed; each may be tried again", { kind: "warning", class: "col-more" }),
  count("Filtered", "filtered_out", "Events whose topic fitted, not the filter", { class: "col-extra" }),
  count("Waiting", "waiting", "Events matched and not yet done with"),
  count("Dead", "dead", "Events that became dead letters", { kind: "failed" }),
  { name: "Stopped", class: "col-stopped", hint: "For how long it has not run, and why", cell: (row) => html`<span class="muted" title=${row.reason}>${row.stopped_s ? `${formatSpan(row.stopped_s)} · ${row.reason ?? ""}` : "–"}</span>` },
];

const LIVE_COLUMNS = [
  { name: "Client", class: "col-filter", cell: (row) => html`<${Id} value=${row.target.client_id} keep=${12} />` },
  { name: "Topics", class: "col-wide", cell: (row) => html`<code title=${row.topics.join("\n")}>${row.topics.join(", ")}</code>` },
  { name: "Filter", class: "col-filter col-extra", cell: (row) => html`<code>${Object.keys(row.filter).length ? JSON.stringify(row.filter) : "–"}</code>` },
];
