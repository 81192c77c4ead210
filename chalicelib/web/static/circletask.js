// One task in a drawer: what is to be done, who does it, and what may become of it.

import { html, useState } from "./preact-htm.js";
import { approveTask, changeTask, claimTask, rejectTask, submitTask } from "./api.js";
import { Priority, Status } from "./circleboard.js";
import { ableFor, isOver, mayBecome, nameOf, reviewersOf } from "./circlemodel.js";
import { useAct } from "./hooks.js";
import { JsonView } from "./json.js";
import { Drawer, ErrorPanel, Facts, Field, Time, exactTime, toast } from "./ui.js";

export function TaskDrawer({ task, data: { members }, refresh, focus, onClose }) {
  return html`<${Drawer} title=${html`<bdi>${task.title}</bdi>`} label="Task ${task.id}" onClose=${onClose} focus=${focus}>
    <div class="job">
      <p class="marks"><${Status} status=${task.status} /><${Priority} priority=${task.priority} /></p>
      <${Acts} task=${task} members=${members} refresh=${refresh} />
      ${task.description && html`<p class="told">${task.description}</p>`}
      <${About} task=${task} members=${members} />
      ${task.reviews.length > 0 && html`<${Reviews} task=${task} members=${members} />`}
      <${Values} task=${task} />
    </div>
  <//>`;
}

const About = ({ task, members }) =>
  html`<${Facts} facts=${[
    ["Number", String(task.id)],
    ["Agent", task.assigned_agent_id !== null && html`<bdi>${nameOf(members, task.assigned_agent_id)}</bdi>`],
    ["Needs", task.required_competencies.length > 0 && html`<bdi>${task.required_competencies.join(", ")}</bdi>`],
    ["Kind", html`<bdi>${task.task_type}</bdi>`],
    ["Project", task.project_id !== null && html`<bdi>${task.project_id}</bdi>`],
    ["Review", task.requires_review ? "Another agent reviews it" : "None is wanted"],
    ["Made", html`<${Time} value=${task.created_at} />`],
    ["Begun", task.started_at && html`<${Time} value=${task.started_at} />`],
    ["Ended", task.completed_at && html`<${Time} value=${task.completed_at} />`],
  ]} />`;

const Reviews = ({ task, members }) =>
  html`<section><h3>Reviews</h3><ul class="reviews">${task.reviews.toReversed().map((said) =>
    html`<li><strong><bdi>${nameOf(members, said.reviewer_id)}</bdi></strong> ${WORDS[said.decision] ?? said.decision} <span class="muted" title=${exactTime(Date.parse(said.at))}><${Time} value=${said.at} /></span>
      ${said.comment && html`<p><bdi>${said.comment}</bdi></p>`}</li>`)}</ul></section>`;

const WORDS = { approved: "approved", changes_requested: "asked for changes", rejected: "rejected it" };

const Values = ({ task }) =>
  ["context", "result", "artifacts"].filter((name) => task[name] !== null).map((name) =>
    html`<section key=${name}><h3>${name[0].toUpperCase() + name.slice(1)}</h3><${JsonView} value=${task[name]} label=${name} /></section>`);

// What can be done with it now: the main act first.
function Acts({ task, members, refresh }) {
  const { run, busy, error } = useAct();
  if (isOver(task)) return null;
  const act = (words, what) => () => run(async () => {
    await what();
    toast(`${words}: ${task.title.slice(0, 80)}`);
    await refresh();
  });
  const to = (status, words, more = {}) =>
    mayBecome(task, status) && html`<button type="button" class="button" disabled=${busy} onClick=${act(words, () => changeTask(task.id, { status, ...more }))}>${words}</button>`;
  const submit = act("Handed in", () => submitTask(task.id, {}));
  const begun = ["claimed", "in_progress", "changes_requested"].includes(task.status);
  return html`<section class="acts" aria-label="What to do">
    ${task.status === "pending" && html`<${Claim} task=${task} members=${members} busy=${busy} act=${act} />`}
    ${task.status === "review" && html`<${Review} task=${task} members=${members} busy=${busy} act=${act} />`}
    <p class="actions">
      ${begun && task.assigned_agent_id !== null && html`<button type="button" class="button primary" disabled=${busy} onClick=${submit}>${task.requires_review ? "Hand in for review" : "Hand in"}</button>`}
      ${task.status !== "pending" && to("in_progress", task.status === "blocked" ? "Go on" : "Begin")}
      ${begun && to("completed", "Complete")}
      ${task.status !== "review" && to("pending", "Let go")}
      ${begun && to("blocked", "Block")}
      ${begun && to("failed", "Give up")}
      ${to("cancelled", "Cancel the task")}
    </p>
    ${error && html`<${ErrorPanel} title="Not done" error=${error} />`}
  </section>`;
}

function Claim({ task, members, busy, act }) {
  const able = ableFor(members, task);
  const first = task.assigned_agent_id ?? able[0]?.agent_id;
  const [agent, setAgent] = useState(String(first ?? ""));
  const chosen = able.find(({ agent_id: id }) => String(id) === agent)?.agent_id;
  if (!able.length) return html`<p class="muted">Nobody is in this circle who could do it: add a member first.</p>`;
  return html`<${Field} label="For" id="task-agent"><${Choice} id="task-agent" members=${able} value=${agent} onChoose=${setAgent} /><//>
    <p class="actions"><button type="button" class="button primary" disabled=${busy || chosen === undefined} onClick=${act("Claimed", () => claimTask(task.id, chosen))}>Claim</button>
      <button type="button" class="button" disabled=${busy || chosen === undefined} onClick=${act("Assigned", () => changeTask(task.id, { status: "pending", assigned_agent_id: chosen }))}>Assign</button></p>`;
}

function Review({ task, members, busy, act }) {
  const able = reviewersOf(members, task);
  const [who, setWho] = useState(String(able[0]?.agent_id ?? ""));
  const [comment, setComment] = useState("");
  const reviewer = able.find(({ agent_id: id }) => String(id) === who)?.agent_id;
  if (!able.length) return html`<p class="muted">Nobody else is in this circle: who did it cannot review it.</p>`;
  const wish = { reviewer_id: reviewer, comment };
  return html`<${Field} label="Reviewer" id="task-reviewer"><${Choice} id="task-reviewer" members=${able} value=${who} onChoose=${setWho} /><//>
    <${Field} label="Comment" hint="optional" id="task-comment"><textarea id="task-comment" rows="2" maxlength="4000" value=${comment} onInput=${({ target }) => setComment(target.value)} /><//>
    <p class="actions"><button type="button" class="button primary" disabled=${busy} onClick=${act("Approved", () => approveTask(task.id, wish))}>Approve</button>
      <button type="button" class="button" disabled=${busy} onClick=${act("Changes requested", () => rejectTask(task.id, { ...wish, decision: "changes_requested" }))}>Ask for changes</button>
      <button type="button" class="button" disabled=${busy} onClick=${act("Rejected", () => rejectTask(task.id, { ...wish, decision: "rejected" }))}>Reject</button></p>`;
}

const Choice = ({ id, members, value, onChoose }) =>
  html`<select id=${id} value=${value} onChange=${({ target }) => onChoose(target.value)}>
    ${members.map((one) => html`<option value=${String(one.agent_id)}>${one.agent_name}${one.competencies.length ? ` (${one.competencies.slice(0, 4).join(", ")})` : ""}</option>`)}</select>`;
