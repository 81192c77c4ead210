// The page `/replays`: what of the log is being delivered again, and how far it is.

import { html, useEffect, useState } from "./preact-htm.js";
import { getReplays, getSubscriptions } from "./api.js";
import { SubscriptionName } from "./delivery.js";
import { escaping, go, linkTo, pathOf, useDrawer, useHotkeys, usePages, usePoll } from "./hooks.js";
import { ListPanel } from "./list.js";
import { NewReplay, Progress, ReplayDrawer } from "./replay.js";
import { useSource } from "./source.js";
import { EmptyState, Guard, Icon, PageTitle, Time, exactTime, formatCount } from "./ui.js";

const CLOSED = { subscription: null };
const NEW = "new";
const MOVING_MS = 1_500;
const CALM_MS = 10_000;

export default function Replays({ place, source, config }) {
  const { id, query } = place;
  useSource(source, config, null);
  const [moving, setMoving] = useState(true);
  const list = usePages(getReplays, (page) => page.replays, { ms: moving ? MOVING_MS : CALM_MS });
  useEffect(() => list.rows && setMoving(list.rows.some((row) => row.state === "RUNNING")), [list.rows]);
  const known = usePoll(() => getSubscriptions(null, 200), 30_000);
  const drawer = useDrawer(CLOSED, "replays");
  const make = () => drawer.open({}, { withKey: true, id: NEW });
  useHotkeys({ n: make, Escape: escaping(id, drawer.close) });
  const action = html`<a class="button primary" href=${linkTo(CLOSED, pathOf("replays", NEW))} title="n"
    onClick=${(event) => (event.preventDefault(), make())}><${Icon} name="plus" />New replay</a>`;
  const subscriptions = known.data?.subscriptions;
  const names = Object.fromEntries((subscriptions ?? []).map((row) => [row.id, row.name]));
  return html`<main id="main" class="main" tabindex="-1">
      <${PageTitle} title="Replays" actions=${action}>What of the log is being delivered again, and which subscriptions are catching up.<//>
      <${Guard}><${ListPanel} label="Replays" noun="replay" list=${list} columns=${columnsOf(names)} keyOf=${(row) => row.id} opened=${id}
        empty=${html`<${None} action=${action} />`}
        onOpen=${(row, { byKey }) => drawer.open({}, { withKey: byKey, id: row.id })}
        onMove=${(row) => id && id !== NEW && go(CLOSED, { replace: true, path: pathOf("replays", row.id) })} /><//>
    </main>
    ${id === NEW && html`<${Guard} key="new"><${NewReplay} subscriptions=${subscriptions} wanted=${query.subscription?.[0]} onClose=${drawer.close} onStarted=${list.refresh} /><//>`}
    ${id && id !== NEW && html`<${Guard} key="one"><${ReplayDrawer} key=${id} id=${id} names=${names} focus=${drawer.byKey} onClose=${drawer.close} onChanged=${list.refresh} /><//>`}`;
}

const None = ({ action }) =>
  html`<${EmptyState} title="Nothing was replayed yet.">
    <p>A replay takes a stretch of the log and delivers it once more to one subscription: after a bug in the receiver was mended, for one. Subscriptions that catch up after a pause are listed here as well.</p>
    <p class="actions">${action}</p>
  <//>`;

const KINDS = { replay: "Replay", catch_up: "Catch-up" };

const columnsOf = (names) => [
  { name: "Progress", class: "col-progress", cell: (row) => html`<${Progress} row=${row} />` },
  { name: "Kind", class: "col-kind", cell: (row) => html`<a href=${linkTo(CLOSED, pathOf("replays", row.id))} tabindex="-1" title=${row.id}>${KINDS[row.kind] ?? row.kind}</a>` },
  { name: "Subscription", class: "col-of", cell: (row) => html`<${SubscriptionName} id=${row.subscription} name=${names[row.subscription]} own=${true} />` },
  { name: "From", class: "col-moment", cell: (row) => html`<${Bound} value=${row.from} />` },
  { name: "To", class: "col-moment", cell: (row) => html`<${Bound} value=${row.to} />` },
  { name: "Scanned", class: "col-count col-more number", hint: "Events looked at", cell: (row) => formatCount(row.scanned) },
  { name: "Delivered", class: "col-count number", hint: "Events handed on for delivery", cell: (row) => formatCount(row.matched) },
  { name: "Started", class: "col-time", cell: (row) => html`<${Time} value=${row.created_at} />` },
];

/** One end of a stretch of the log. */
const Bound = ({ value }) => {
  const at = Date.parse(value);
  return at <= 0 ? html`<span class="muted">the beginning</span>` : html`<span title=${exactTime(at)}>${exactTime(at).slice(0, 19)}</span>`;
};
