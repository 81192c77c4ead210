// The forms that make a circle and a task.

import { html, useState } from "./preact-htm.js";
import { createCircle, createTask } from "./api.js";
import { PRIORITIES, agentIn, wordsIn } from "./circlemodel.js";
import { useAct } from "./hooks.js";
import { Drawer, ErrorPanel, Field, toast } from "./ui.js";

/** A form in a drawer: `fields(given)` are its fields, `wish(draft)` what is sent by `send`. */
function Form({ title, first, complete, action, send, onClose, onDone, children }) {
  const { run, busy, error } = useAct();
  const [draft, setDraft] = useState(first);
  const change = (name) => ({ target }) => setDraft({ ...draft, [name]: target.type === "checkbox" ? target.checked : target.value });
  const given = (name) => ({ id: `new-${name}`, value: draft[name], onInput: change(name) });
  const tick = (name) => ({ id: `new-${name}`, type: "checkbox", checked: draft[name], onChange: change(name) });
  const submit = (event) => {
    event.preventDefault();
    if (complete(draft)) run(async () => onDone(await send(draft)));
  };
  return html`<${Drawer} title=${title} label=${title} onClose=${onClose} focus=${true}>
    <form class="publish" onSubmit=${submit} novalidate>
      ${children(given, tick)}
      <footer class="dialog-foot">
        ${error && html`<${ErrorPanel} title="Not made" error=${error} />`}
        <button type="submit" class="button primary" disabled=${busy || !complete(draft)}>${busy ? "Saving …" : action}</button>
      </footer>
    </form>
  <//>`;
}

const CIRCLE = { name: "", display_name: "", description: "", project: "", auto_route: true, require_review: true };

export function NewCircle({ onClose, onDone }) {
  const send = ({ name, display_name: shown, description, project, ...flags }) =>
    createCircle({ name: name.trim(), ...flags, ...(shown.trim() && { display_name: shown.trim() }), ...(description.trim() && { description }), ...(project.trim() && { project_id: agentIn(project) }) });
  return html`<${Form} title="New circle" first=${CIRCLE} complete=${({ name }) => name.trim()} action="Make the circle" send=${send} onClose=${onClose} onDone=${onDone}>${(given, tick) => html`
    <${Field} label="Name" hint="one of its own" id="new-name"><input class="mono" autofocus autocomplete="off" spellcheck=${false} maxlength="128" placeholder="reviewers" ...${given("name")} /><//>
    <${Field} label="Shown as" hint="optional" id="new-display_name"><input autocomplete="off" maxlength="128" ...${given("display_name")} /><//>
    <${Field} label="What it is for" hint="optional" id="new-description"><textarea rows="2" maxlength="20000" ...${given("description")} /><//>
    <${Field} label="Project" hint="optional" id="new-project"><input class="mono" autocomplete="off" maxlength="128" ...${given("project")} /><//>
    <fieldset class="choices"><legend>Tasks</legend>
      <label class="choice"><input ...${tick("auto_route")} /><span>May be assigned to members by themselves</span></label>
      <label class="choice"><input ...${tick("require_review")} /><span>Are reviewed by another member</span></label>
    </fieldset>`}<//>`;
}

export function NewTask({ data: { circle }, onClose, onDone }) {
  const first = { title: "", description: "", priority: "medium", competencies: "", requires_review: circle.require_review };
  const send = async ({ competencies, description, ...draft }) => {
    const wish = { ...draft, title: draft.title.trim(), required_competencies: wordsIn(competencies), when_stopped: "keep", ...(description.trim() && { description }) };
    const made = await createTask(circle.id, wish);
    toast(`Made: ${made.title.slice(0, 80)}`);
    return made;
  };
  return html`<${Form} title="New task" first=${first} complete=${({ title }) => title.trim()} action="Make the task" send=${send} onClose=${onClose} onDone=${onDone}>${(given, tick) => html`
    <${Field} label="Title" id="new-title"><input autofocus autocomplete="off" maxlength="300" ...${given("title")} /><//>
    <${Field} label="What is to be done" hint="optional" id="new-description"><textarea rows="4" maxlength="20000" ...${given("description")} /><//>
    <div class="pair">
      <${Field} label="Priority" id="new-priority"><select ...${given("priority")}>${Object.entries(PRIORITIES).map(([id, [, words]]) => html`<option value=${id}>${words}</option>`)}</select><//>
      <${Field} label="Needs" hint="with commas between" id="new-competencies"><input autocomplete="off" placeholder="python, sql" ...${given("competencies")} /><//>
    </div>
    <fieldset class="choices"><legend class="offscreen">Review</legend><label class="choice"><input ...${tick("requires_review")} /><span>Another member reviews it</span></label></fieldset>
    ${circle.status !== "running" && html`<p class="muted">This circle does not run: the task waits for it.</p>`}`}<//>`;
}
