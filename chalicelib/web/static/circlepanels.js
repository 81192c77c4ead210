// Who is in a circle, and who is in whose way there.

import { html, useState } from "./preact-htm.js";
import { addMember, removeMember, resolveConflict } from "./api.js";
import { ROLES, agentIn, nameOf, wordsIn } from "./circlemodel.js";
import { useAct } from "./hooks.js";
import { Age, Badge, Confirm, Drawer, EmptyState, ErrorPanel, Field, Time, plural, toast } from "./ui.js";

const BLANK = { agent: "", name: "", role: "member", competencies: "", may: false };

export function Members({ data: { circle, members }, refresh, focus, onClose }) {
  const [leaving, setLeaving] = useState(null);
  return html`<${Drawer} title="Members" label="Members" onClose=${onClose} focus=${focus}>
      ${members.length ? html`<ul class="people">${members.map((one) => html`<${Person} key=${one.id} member=${one} onLeave=${circle.is_active && setLeaving} />`)}</ul>` : html`<p class="muted">Nobody is in this circle yet.</p>`}
      ${circle.is_active && html`<h3>Add a member</h3><${Add} circle=${circle} refresh=${refresh} />`}
    <//>
    ${leaving && html`<${Leave} circle=${circle} member=${leaving} refresh=${refresh} onClose=${() => setLeaving(null)} />`}`;
}

const Person = ({ member, onLeave }) =>
  html`<li><div><strong><bdi>${member.agent_name}</bdi></strong>${String(member.agent_id) !== member.agent_name && html` <code class="muted"><bdi>${member.agent_id}</bdi></code>`}
      <span class="muted"> ${member.role}${member.can_review && ", may review"} · since <${Age} value=${member.joined_at} /></span>
      ${member.competencies.length > 0 && html`<p class="marks">${member.competencies.map((word) => html`<span class="word"><bdi>${word}</bdi></span>`)}</p>`}</div>
    ${onLeave && html`<button type="button" class="button small" aria-label="Remove ${member.agent_name}" onClick=${() => onLeave(member)}>Remove …</button>`}</li>`;

function Add({ circle, refresh }) {
  const { run, busy, error } = useAct();
  const [draft, setDraft] = useState(BLANK);
  const change = (name) => ({ target }) => setDraft({ ...draft, [name]: target.type === "checkbox" ? target.checked : target.value });
  const given = (name) => ({ id: `member-${name}`, value: draft[name], onInput: change(name) });
  const submit = (event) => {
    event.preventDefault();
    const wish = { agent_id: agentIn(draft.agent), role: draft.role, competencies: wordsIn(draft.competencies), can_review: draft.may, ...(draft.name.trim() && { agent_name: draft.name.trim() }) };
    if (draft.agent.trim()) run(async () => {
      const made = await addMember(circle.id, wish);
      toast(`In the circle: ${made.agent_name}`);
      setDraft(BLANK);
      await refresh();
    });
  };
  return html`<form class="publish" onSubmit=${submit} novalidate>
    <div class="pair">
      <${Field} label="Agent" hint="its id" id="member-agent"><input class="mono" autocomplete="off" maxlength="128" ...${given("agent")} /><//>
      <${Field} label="Name" hint="optional" id="member-name"><input autocomplete="off" maxlength="128" ...${given("name")} /><//>
      <${Field} label="Role" id="member-role"><select ...${given("role")}>${ROLES.map((role) => html`<option value=${role}>${role}</option>`)}</select><//>
      <${Field} label="Can do" hint="with commas between" id="member-competencies"><input autocomplete="off" placeholder="python, sql" ...${given("competencies")} /><//>
    </div>
    <label class="choice"><input type="checkbox" checked=${draft.may} onChange=${change("may")} /><span>May review others' work</span></label>
    ${error && html`<${ErrorPanel} title="Not added" error=${error} />`}
    <p class="actions"><button type="submit" class="button primary" disabled=${busy || !draft.agent.trim()}>${busy ? "Saving …" : "Add"}</button></p>
  </form>`;
}

function Leave({ circle, member, refresh, onClose }) {
  const { run, error } = useAct();
  const confirm = () => run(async () => {
    await removeMember(circle.id, member.agent_id);
    toast(`No longer in the circle: ${member.agent_name}`);
    onClose();
    await refresh();
  });
  return html`<${Confirm} title="Remove this member?" action="Remove" destroys=${true} onConfirm=${confirm} onClose=${onClose}>
    <p><strong><bdi>${member.agent_name}</bdi></strong> is in this circle no more; the tasks stay as they are. Adding the agent again brings it back.</p>
    ${error && html`<${ErrorPanel} title="Not removed" error=${error} />`}
  <//>`;
}

export function Conflicts({ data: { circle, members, conflicts }, refresh, focus, onClose }) {
  return html`<${Drawer} title="Conflicts" label="Conflicts" onClose=${onClose} focus=${focus}>
    ${conflicts.length ? html`<p class="muted">${plural(conflicts.length, "conflict")} open.</p><ul class="issues">${conflicts.map((one) => html`<${Conflict} key=${one.id} conflict=${one} circle=${circle} members=${members} refresh=${refresh} />`)}</ul>`
      : html`<${EmptyState} title="Nobody is in anybody's way."><p>Who watches the agents reports it here when two of them work on one file.</p><//>`}
  <//>`;
}

function Conflict({ conflict, circle, members, refresh }) {
  const { run, busy, error } = useAct();
  const [words, setWords] = useState("");
  const resolve = (event) => {
    event.preventDefault();
    run(async () => {
      await resolveConflict(circle.id, conflict.id, words.trim() || "resolved by hand");
      toast("Resolved");
      await refresh();
    });
  };
  return html`<li>
    <p><${Badge} kind="failed">${conflict.conflict_type.replaceAll("_", " ")}<//> <span class="muted"><${Time} value=${conflict.created_at} /></span></p>
    <p><strong><bdi>${nameOf(members, conflict.agent1)}</bdi></strong> and <strong><bdi>${nameOf(members, conflict.agent2)}</bdi></strong>${conflict.file_path && html`: <code><bdi>${conflict.file_path}</bdi></code>`}</p>
    ${conflict.description && html`<p><bdi>${conflict.description}</bdi></p>`}
    <form class="resolve" onSubmit=${resolve}><input aria-label="How it ends" placeholder="How it ends" maxlength="4000" value=${words} onInput=${({ target }) => setWords(target.value)} />
      <button type="submit" class="button" disabled=${busy}>Resolve</button></form>
    ${error && html`<${ErrorPanel} title="Not resolved" error=${error} />`}
  </li>`;
}
