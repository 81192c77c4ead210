// The board of a circle: a column for each status, a card for each task. Cards are links;
// one that is dragged to another column becomes what that column is for.

import { html, useState } from "./preact-htm.js";
import { changeTask } from "./api.js";
import { COLUMNS, PRIORITIES, STATUSES, inColumn, mayBecome, nameOf, wordOf } from "./circlemodel.js";
import { linkTo } from "./hooks.js";
import { Age, Badge, EmptyState, formatCount, toast } from "./ui.js";

export const Priority = ({ priority }) => {
  const [kind, words, sign] = PRIORITIES[priority] ?? ["quiet", priority, "■"];
  return html`<${Badge} kind=${kind} sign=${sign} title="Priority">${words}<//>`;
};
export const Status = ({ status }) => html`<${Badge} kind=${STATUSES[status]?.[0]}>${wordOf(status)}<//>`;

export function Board({ data: { circle, tasks, members, more }, refresh, isFresh, opened, onOpen }) {
  const [dragged, setDragged] = useState(null);
  const drop = async (column) => {
    const task = tasks.find(({ id }) => id === dragged);
    setDragged(null);
    if (task && !column.statuses.includes(task.status)) await moveTo(task, column.statuses[0], refresh);
  };
  if (!tasks.length) return html`<section class="panel"><${Nothing} circle=${circle} /></section>`;
  const cards = { members, isFresh, opened, onOpen, onDrag: setDragged };
  return html`<section class="panel list board-panel" aria-label="Tasks"><div class="board">
    ${COLUMNS.map((column) => html`<${Column} key=${column.id} column=${column} tasks=${inColumn(tasks, column)} more=${more} cards=${cards}
      takes=${takes(tasks.find(({ id }) => id === dragged), column)} onDrop=${() => drop(column)} />`)}
  </div></section>`;
}

// A column that a card may be dropped in; null while none is dragged.
const takes = (task, { statuses }) => (task && !statuses.includes(task.status) ? mayBecome(task, statuses[0]) : null);

async function moveTo(task, status, refresh) {
  if (!mayBecome(task, status)) return toast(`What is ${wordOf(task.status).toLowerCase()} cannot become ${wordOf(status).toLowerCase()}.`, "warning");
  if (status === "claimed" && task.assigned_agent_id === null) return toast("Open the task to say who claims it.", "warning");
  try {
    await changeTask(task.id, { status });
  } catch (error) {
    toast(error.message, "failed");
  }
  return refresh();
}

function Column({ column: { id, name }, tasks, more, cards, takes: may, onDrop }) {
  const over = (event) => may && event.preventDefault();
  return html`<section class="column ${may ? "takes" : ""}" aria-labelledby="column-${id}" onDragOver=${over} onDrop=${(event) => (event.preventDefault(), onDrop())}>
    <h2 id="column-${id}">${name} <span class="tally">${formatCount(tasks.length)}${id === "done" && more && "+"}</span></h2>
    <ol class="cards">${tasks.map((task) => html`<li key=${task.id}><${Card} task=${task} ...${cards} /></li>`)}</ol>
  </section>`;
}

function Card({ task, members, isFresh, opened, onOpen, onDrag }) {
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    onOpen(task, { byKey: event.detail === 0 });
  };
  const odd = !["pending", "claimed", "in_progress", "review", "blocked", "completed"].includes(task.status);
  return html`<a class="card ${isFresh(task) ? "fresh" : ""}" href=${linkTo({ task: String(task.id), panel: null })} data-key=${task.id} draggable="true"
    aria-current=${String(task.id) === opened ? "true" : null} onClick=${open} onDragStart=${() => onDrag(task.id)} onDragEnd=${() => onDrag(null)}>
    <strong class="card-title"><bdi>${task.title}</bdi></strong>
    <span class="card-by muted">${task.assigned_agent_id === null ? "Nobody's yet" : html`<bdi>${nameOf(members, task.assigned_agent_id)}</bdi>`} · <${Age} value=${task.updated_at ?? task.created_at} /></span>
    <span class="marks"><${Priority} priority=${task.priority} />${odd && html`<${Status} status=${task.status} />`}
      ${task.required_competencies.slice(0, 3).map((word) => html`<span class="word"><bdi>${word}</bdi></span>`)}</span>
  </a>`;
}

const Nothing = ({ circle }) =>
  html`<${EmptyState} title="No task yet.">
    <p>${circle.status === "running" ? "A new task is pending until a member claims it, or it is assigned." : "Tasks can wait here before the circle is started."}</p>
  <//>`;
