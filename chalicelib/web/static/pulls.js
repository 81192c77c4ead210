// The page `/pulls`: every pull request by how far it is, and each with what is known of it.

import { html, useMemo } from "./preact-htm.js";
import { escaping, go, linkTo, pathOf, useDrawer, useHotkeys, useSoon } from "./hooks.js";
import { ListPanel, Nothing, useCalm } from "./list.js";
import { PullDrawer } from "./pull.js";
import { Board } from "./pullboard.js";
import { ConnectDrawer } from "./pullconnect.js";
import { DAYS, Figures, useFigures } from "./pullfigures.js";
import { ANYTHING, Filters } from "./pullfilters.js";
import { usePulls } from "./pulllist.js";
import { isNarrowed, keyOf, placeIn, riskOf, staleIn, wished } from "./pullmodel.js";
import { CLOSED, Checks, Draft, Name, Reviews, Risk, Size, Stale, Status, linkOf } from "./pullparts.js";
import { useSource } from "./source.js";
import { Age, Announce, EmptyState, ErrorPanel, Guard, Icon, PageTitle, plural } from "./ui.js";

const CONNECT = "connect";
const FIGURES_MS = 3_000;

export default function Pulls({ place, source, config }) {
  const { query } = place;
  const id = placeIn(place.id) ? place.id : null;
  const wish = wished(query);
  const days = DAYS.includes(query.days?.[0]) ? query.days[0] : "30";
  const onlyStale = query.stale?.[0] === "true";
  useSource(source, config, null);
  const list = usePulls(wish, config, (told) => source.change({ told }));
  const figures = useFigures(wish.repository, days);
  useSoon(list.changes, figures.refresh, FIGURES_MS);
  const stale = useMemo(() => staleIn(figures.data), [figures.data]);
  const rows = useShown(list, onlyStale && stale);
  const drawer = useDrawer(CLOSED, "pulls");
  const connecting = query.panel?.[0] === CONNECT;
  const connect = () => drawer.open({ panel: CONNECT }, { withKey: true });
  useHotkeys({ n: connect, Escape: escaping(id || connecting, drawer.close) });
  const action = html`<a class="button primary" href=${linkTo({ ...CLOSED, panel: CONNECT }, "pulls")} title="n" onClick=${(event) => (event.preventDefault(), connect())}><${Icon} name="plus" />Connect a repository</a>`;
  const unknown = onlyStale && !figures.data;
  const shown = {
    list: { ...asList(list), rows, ...(unknown && { rows: null, error: figures.error, refresh: figures.refresh }) },
    stale,
    opened: id,
    onOpen: (key, { byKey }) => drawer.open({}, { withKey: byKey, id: placeIn(key) }),
    onMove: (key) => id && go(CLOSED, { replace: true, path: pathOf("pulls", placeIn(key)) }),
    tools: html`<${Filters} wish=${wish} stale=${onlyStale} table=${query.view?.[0] === "table"} authors=${authorsIn(list)} />`,
    empty: isNarrowed(wish) || onlyStale ? html`<${NoneFit} />` : html`<${None} action=${action} />`,
  };
  const View = query.view?.[0] === "table" ? TableView : BoardView;
  return html`<main id="main" class="main pulls-page" tabindex="-1">
      <${PageTitle} title="Pull requests" actions=${action}>What waits for whom, how risky it is, and what it does to the flow of events.<//>
      <${Guard}><${Figures} figures=${figures} days=${days} stale=${onlyStale} /><//>
      <${Guard} key=${query.view?.[0]}><${View} ...${shown} column=${query.column?.[0]} /><//>
    </main>
    ${connecting && html`<${Guard} key="connect"><${ConnectDrawer} focus=${drawer.byKey} onClose=${drawer.close} /><//>`}
    ${id && !connecting && html`<${Guard} key=${id}><${PullDrawer} key=${id} id=${id} list=${list} stale=${stale.get(id)} tab=${query.tab?.[0]} focus=${drawer.byKey} onClose=${drawer.close} /><//>`}`;
}

// What ListPanel takes of a list.
const asList = (list) => ({ error: list.error, refresh: list.refresh, more: list.more, busy: list.busy, loadMore: list.loadMore, cursors: list.cursors, answered: list.answered, isFresh: (pull) => list.isFresh(pull) });

// The same rows are the same list, so that nothing is drawn anew for nothing.
function useShown(list, stale) {
  const rows = list.rows;
  return useMemo(() => (rows && stale ? rows.filter((pull) => stale.has(keyOf(pull))) : rows), [rows, stale]);
}

const authorsIn = ({ known }) => [...new Set([...known.values()].map(({ author }) => author))].sort((a, b) => a.localeCompare(b));

function BoardView({ list, stale, opened, column, tools, empty, onOpen, onMove }) {
  const { rows, error, refresh } = list;
  return html`<section class="panel list board-panel" aria-label="Pull requests">
    <header class="feed-head">${tools}</header>
    ${error && rows && html`<${ErrorPanel} title="What is shown may be old" error=${error} onRetry=${refresh} />`}
    ${rows?.length
      ? html`<${Board} list=${list} rows=${rows} stale=${stale} opened=${opened} column=${column} onOpen=${onOpen} onMove=${onMove} />`
      : html`<div class="scroll"><${Nothing} list=${list} empty=${empty} /></div>`}
    <${Announce} text=${rows ? `${plural(rows.length, "pull request")} shown` : ""} />
  </section>`;
}

function TableView({ list, stale, opened, tools, empty, onOpen, onMove }) {
  const calm = useCalm(list, CALM);
  return html`<${ListPanel} label="Pull requests" noun="pull request" list=${{ ...list, rows: calm.rows }} tools=${tools} empty=${empty} opened=${opened}
    columns=${columnsOf(stale)} keyOf=${keyOf} classOf=${(pull) => list.isFresh(pull) && "fresh"}
    onOpen=${(pull, { byKey }) => onOpen(keyOf(pull), { byKey })} onMove=${(pull) => onMove(keyOf(pull))} onReading=${calm.onReading}
    waiting=${calm.waiting > 0 && html`<button type="button" class="pill" onClick=${calm.release}><${Icon} name="up" />${plural(calm.waiting, "change")}</button>`} />`;
}

const CALM = { keyOf, at: (pull) => pull.updated_at, isOther: (pull, before) => pull.revision !== before.revision };

const columnsOf = (stale) => [
  { name: "Pull request", class: "col-pull", cell: (pull) => html`<${Name} pull=${pull} />` },
  { name: "Title", class: "col-title", cell: (pull) => html`<${Draft} pull=${pull} /><${Stale} stale=${stale.get(keyOf(pull))} /><a href=${linkOf(pull)} tabindex="-1" title=${pull.title}><bdi>${pull.title}</bdi></a>` },
  { name: "Author", class: "col-author", cell: (pull) => html`<span title=${pull.author}><bdi>${pull.author}</bdi></span>` },
  { name: "Status", class: "col-pull-status", cell: (pull) => html`<${Status} status=${pull.status} />` },
  { name: "Risk", class: "col-risk", cell: (pull) => html`<${Risk} level=${riskOf(pull)} />` },
  { name: "Checks", class: "col-checks", cell: (pull) => html`<${Checks} pull=${pull} />` },
  { name: "Reviews", class: "col-reviews", cell: (pull) => html`<${Reviews} pull=${pull} />` },
  { name: "Lines", class: "col-lines number", cell: (pull) => html`<${Size} pull=${pull} />` },
  { name: "Changed", class: "col-age number", cell: (pull) => html`<${Age} value=${pull.updated_at} />` },
];

const None = ({ action }) =>
  html`<${EmptyState} title="No pull request yet.">
    <p>Nothing has come from GitHub. A webhook of a repository brings its pull requests here, with their checks and reviews, as they happen.</p>
    <p class="actions">${action}</p>
  <//>`;

const NoneFit = () =>
  html`<${EmptyState} title="No pull request fits this filter.">
    <p>Those that will fit appear here as they happen.</p>
    <p class="actions"><button type="button" class="button" onClick=${() => go(ANYTHING)}>Clear the filter</button></p>
  <//>`;
