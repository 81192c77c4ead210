// The page `/circles`: teams of agents, and one of them whole, with its tasks by status.

import { html, useState } from "./preact-htm.js";
import { changeCircle, getCircles, removeCircle } from "./api.js";
import { Board } from "./circleboard.js";
import { useCircle, useNews } from "./circledata.js";
import { NewCircle, NewTask } from "./circleforms.js";
import { RUNS } from "./circlemodel.js";
import { Conflicts, Members } from "./circlepanels.js";
import { TaskDrawer } from "./circletask.js";
import { escaping, go, goTo, linkTo, pageLink, pathOf, useAct, useDrawer, useHotkeys, usePages, useSoon } from "./hooks.js";
import { ListPanel } from "./list.js";
import { Age, Announce, Badge, Confirm, EmptyState, ErrorPanel, Guard, Icon, PageTitle, Skeleton, plural, toast } from "./ui.js";

const NEW = "new";
const SOON_MS = 250;
const POLL_MS = 30_000;
const CLOSED = { task: null, panel: null };
const STATES = [["", "All"], ...Object.entries(RUNS).map(([id, [, words]]) => [id, words])];

export default function Circles(props) {
  const { id } = props.place;
  return id && id !== NEW ? html`<${OneCircle} key=${id} ...${props} />` : html`<${List} ...${props} />`;
}

function List({ place: { id, query }, source, config }) {
  const status = query.status?.[0] ?? "";
  const list = usePages((cursor) => getCircles({ status, limit: 50, cursor }), (page) => page.circles, { ms: POLL_MS, key: status });
  const changes = useNews(source, config, () => true);
  useSoon(changes, list.refresh, SOON_MS);
  const drawer = useDrawer({}, "circles");
  const make = () => drawer.open({}, { withKey: true, id: NEW });
  useHotkeys({ n: make, Escape: escaping(id, drawer.close) });
  const action = html`<a class="button primary" href=${linkTo({}, pathOf("circles", NEW))} title="n" onClick=${(event) => (event.preventDefault(), make())}><${Icon} name="plus" />New circle</a>`;
  return html`<main id="main" class="main circles-page" tabindex="-1">
      <${PageTitle} title="Circles" actions=${action}>Agents that work together: who is in which circle, and what they do there.<//>
      <${Guard}><${ListPanel} label="Circles" noun="circle" list=${list} columns=${COLUMNS} keyOf=${(circle) => circle.id}
        tools=${html`<${States} status=${status} />`} empty=${status ? html`<${NoneFit} />` : html`<${None} action=${action} />`}
        onOpen=${(circle) => goTo(pageLink(pathOf("circles", circle.id)))} /><//>
    </main>
    ${id === NEW && html`<${Guard} key="new"><${NewCircle} onClose=${drawer.close} onDone=${(circle) => goTo(pageLink(pathOf("circles", circle.id)))} /><//>`}`;
}

const States = ({ status }) =>
  html`<nav class="filter-bar" aria-label="Filter the circles"><div class="views" role="group" aria-label="Status">
    ${STATES.map(([id, words]) => html`<a class="button" href=${linkTo({ status: id || null })} aria-current=${id === status ? "true" : null}>${words}</a>`)}
  </div></nav>`;

const Runs = ({ status }) => html`<${Badge} kind=${RUNS[status]?.[0]}>${RUNS[status]?.[1] ?? status}<//>`;
const linkOf = (circle) => pageLink(pathOf("circles", circle.id));

const COLUMNS = [
  { name: "Status", class: "col-job-status", cell: (circle) => html`<${Runs} status=${circle.status} />` },
  { name: "Circle", class: "col-title", cell: (circle) => html`<a href=${linkOf(circle)} tabindex="-1" title=${circle.name}><bdi>${circle.display_name}</bdi></a>` },
  { name: "Project", class: "col-by", cell: (circle) => html`<bdi>${circle.project_id ?? "–"}</bdi>` },
  { name: "Members", class: "col-count number", cell: (circle) => circle.member_count },
  { name: "Started", class: "col-age number", cell: (circle) => html`<${Age} value=${circle.started_at} />` },
  { name: "Made", class: "col-age number", cell: (circle) => html`<${Age} value=${circle.created_at} />` },
];

const None = ({ action }) =>
  html`<${EmptyState} title="No circle yet.">
    <p>A circle is a team of agents that shares tasks: each is claimed by one, done, and reviewed by another.</p>
    <p class="actions">${action}</p>
  <//>`;

const NoneFit = () =>
  html`<${EmptyState} title="No circle is that now."><p class="actions"><button type="button" class="button" onClick=${() => go({ status: null })}>Show all</button></p><//>`;

function OneCircle({ place: { id, query }, source, config }) {
  const known = useCircle(id, source, config);
  const { data, error, refresh } = known;
  const drawer = useDrawer(CLOSED, pathOf("circles", id));
  const open = (what, withKey = true) => drawer.open(what, { withKey });
  const [deleting, setDeleting] = useState(false);
  const task = data?.tasks.find((one) => String(one.id) === query.task?.[0]);
  const panel = query.panel?.[0];
  useHotkeys({ n: () => data?.circle.is_active && open({ panel: "task" }), Escape: escaping(panel || query.task, drawer.close) });
  const props = { data, refresh, focus: drawer.byKey, onClose: drawer.close };
  return html`<main id="main" class="main circles-page pulls-page" tabindex="-1">
      ${error && html`<${ErrorPanel} title=${data ? "What is shown may be old" : "The circle could not be read"} error=${error} onRetry=${refresh} />`}
      ${!data && !error && html`<${Skeleton} lines=${8} />`}
      ${data && html`<${Guard}><${Head} data=${data} refresh=${refresh} onOpen=${open} onDelete=${() => setDeleting(true)} /><//>
        <${Guard}><${Board} ...${known} opened=${query.task?.[0]} onOpen=${(one, { byKey }) => open({ task: String(one.id) }, byKey)} /><//>`}
    </main>
    ${task && html`<${Guard} key=${task.id}><${TaskDrawer} key=${task.id} task=${task} ...${props} /><//>`}
    ${data && panel === "task" && html`<${Guard} key="new"><${NewTask} ...${props} onDone=${(made) => (refresh(), go({ ...CLOSED, task: String(made.id) }))} /><//>`}
    ${data && panel === "members" && html`<${Guard} key="members"><${Members} ...${props} /><//>`}
    ${data && panel === "conflicts" && html`<${Guard} key="conflicts"><${Conflicts} ...${props} /><//>`}
    ${deleting && html`<${Delete} circle=${data.circle} onClose=${() => setDeleting(false)} />`}`;
}

function Head({ data: { circle, tasks, members, conflicts }, refresh, onOpen, onDelete }) {
  const { run, busy, error } = useAct();
  const runs = circle.status === "running" || circle.status === "starting";
  const turn = () => run(async () => (await changeCircle(circle.id, { status: runs ? "stopped" : "running" }), refresh()));
  const actions = html`<button type="button" class="button" onClick=${() => onOpen({ panel: "members" })}>Members <span class="tally">${members.length}</span></button>
    <button type="button" class="button" onClick=${() => onOpen({ panel: "conflicts" })}>Conflicts <span class="tally ${conflicts.length ? "failed" : ""}">${conflicts.length}</span></button>
    ${circle.is_active && html`<button type="button" class="button" disabled=${busy} onClick=${turn}><${Icon} name=${runs ? "pause" : "play"} />${runs ? "Stop" : "Start"}</button>
      <button type="button" class="button" onClick=${onDelete}>Delete …</button>
      <button type="button" class="button primary" title="n" onClick=${() => onOpen({ panel: "task" })}><${Icon} name="plus" />New task</button>`}`;
  return html`<${PageTitle} title=${html`<a href=${pageLink("circles")}>Circles</a> <span class="muted">/</span> <bdi>${circle.display_name}</bdi>`} actions=${actions}>
      ${circle.is_active ? html`<${Runs} status=${circle.status} />` : html`<${Badge} kind="failed">Deleted<//>`} ${circle.description ? html`<bdi>${circle.description}</bdi>` : circle.project_id !== null && html`Project <bdi>${circle.project_id}</bdi>`}
    <//>
    ${error && html`<${ErrorPanel} title="Not done" error=${error} />`}
    <${Announce} text=${plural(tasks.length, "task")} />`;
}

function Delete({ circle, onClose }) {
  const { run, error } = useAct();
  const confirm = () => run(async () => {
    await removeCircle(circle.id);
    toast(`Deleted: ${circle.display_name}`);
    goTo(pageLink("circles"));
  });
  return html`<${Confirm} title="Delete this circle?" action="Delete" destroys=${true} onConfirm=${confirm} onClose=${onClose}>
    <p><strong><bdi>${circle.display_name}</bdi></strong> stops for good, and its members are in it no more. Its tasks can still be read by their addresses.</p>
    ${error && html`<${ErrorPanel} title="Not deleted" error=${error} />`}
  <//>`;
}
