// The form that has something remembered, or known by everybody.

import { html, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { goTo, linkTo, pathOf, useAct } from "./hooks.js";
import { SCOPES, TYPES, addKnowledge, remember } from "./memorymodel.js";
import { Drawer, ErrorPanel, Field, toast } from "./ui.js";

const BLANK = { agent: "", content: "", type: "fact", scope: "agent", scope_id: "", tags: "", importance: "0.5", title: "", category: "", project: "", url: "" };
const NAME = /^[A-Za-z0-9_.:@/+-]{1,128}$/;
const NEED = "Letters, digits and any of _.:@/+-";
const MOST_BYTES = 32_768;
const SHARED = ["circle", "project"];

/** `agent` is whose memories are looked at, `onDone` hears that there is one more. */
export function NewMemory({ knowledge, agent, onClose, onDone }) {
  const { run, busy, error, clear } = useAct();
  const [draft, setDraft] = useState({ ...BLANK, agent: agent ?? "" });
  const [tried, setTried] = useState(false);
  const form = useRef();
  const title = knowledge ? "Add knowledge" : "Remember";
  useLayoutEffect(() => [...form.current.querySelectorAll("input, textarea")].find((one) => !one.value)?.focus(), []);
  const faults = tried ? faultsOf(draft, knowledge) : {};
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    const [wrong] = Object.keys(faultsOf(draft, knowledge));
    if (wrong) requestAnimationFrame(() => form.current.querySelector(`#memory-${wrong}`)?.focus());
    else run(async () => kept(await (knowledge ? addKnowledge(knownOf(draft)) : remember(wishOf(draft))), onDone));
  };
  const hurry = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && submit(event);
  const change = (name) => ({ target }) => (clear(), setDraft({ ...draft, [name]: target.value }));
  const given = (name) => ({ id: `memory-${name}`, value: draft[name], onInput: change(name), ...(faults[name] && { "aria-invalid": "true", "aria-describedby": `memory-${name}-fault` }) });
  const field = (name, label, hint, input) => html`<${Field} label=${label} hint=${hint} id="memory-${name}" fault=${faults[name]}>${input}<//>`;
  const line = (name, label, hint, more) => field(name, label, hint, html`<input type="text" autocomplete="off" maxlength="256" ...${given(name)} ...${more} />`);
  const select = (name, label, options) => field(name, label, null, html`<select ...${given(name)}>${Object.entries(options).map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select>`);
  const says = field("content", knowledge ? "What is known" : "What is to be remembered", null, html`<textarea rows="5" ...${given("content")}></textarea>`);
  const tags = line("tags", "Tags", "with commas between");
  return html`<${Drawer} title=${title} label=${title} onClose=${onClose} focus=${true}>
    <form class="publish" ref=${form} onSubmit=${submit} onKeyDown=${hurry} novalidate>
      ${knowledge
        ? html`${line("title", "Title")}${says}<div class="pair">${line("category", "Category")}${line("project", "Project")}</div>${line("url", "Source", "an address", { type: "url", class: "mono", maxlength: 2048 })}${tags}`
        : html`${line("agent", "Agent", "who remembers it", { class: "mono", maxlength: 128, spellcheck: false })}${says}
          <div class="pair">${select("type", "Type", TYPES)}${line("importance", "Importance", "0 – 1", { type: "number", min: 0, max: 1, step: 0.1 })}</div>
          <div class="pair">${select("scope", "Who recalls it", SCOPES)}${SHARED.includes(draft.scope) && line("scope_id", draft.scope === "circle" ? "Circle" : "Project", "its id", { class: "mono" })}</div>
          ${draft.scope !== "agent" && html`<p class="muted note">What is shared is told to everybody who listens, with what it says.</p>`}${tags}`}
      <footer class="dialog-foot">
        ${error && html`<${ErrorPanel} title="Not kept" error=${error} />`}
        <button type="submit" class="button primary" disabled=${busy} title="Ctrl+Enter">${busy ? "Keeping …" : title}</button>
      </footer>
    </form>
  <//>`;
}

function kept({ id, agent_id: agent }, onDone) {
  toast("Kept");
  onDone();
  goTo(linkTo(agent === undefined ? {} : { agent: String(agent) }, pathOf("memories", id)));
}

/** The server's own rules, so that a fault shows before it is asked. */
function faultsOf(draft, knowledge) {
  const bytes = new TextEncoder().encode(draft.content).length;
  const importance = Number(draft.importance);
  const found = {
    title: knowledge && !draft.title.trim() && "A title is needed.",
    agent: !knowledge && !NAME.test(draft.agent.trim()) && `An agent is needed. ${NEED}.`,
    content: (!draft.content.trim() && "A text is needed.") || (bytes > MOST_BYTES && `A text may have 32,768 bytes, not ${bytes}.`),
    importance: !knowledge && !(draft.importance.trim() && importance >= 0 && importance <= 1) && "The importance is a number from 0 to 1.",
    scope_id: !knowledge && SHARED.includes(draft.scope) && !NAME.test(draft.scope_id.trim()) && `Its id is needed. ${NEED}.`,
    project: knowledge && draft.project.trim() && !NAME.test(draft.project.trim()) && `${NEED}.`,
  };
  return Object.fromEntries(Object.entries(found).filter(([, fault]) => fault));
}

const tagsIn = (text) => [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];
const nameOf = (text) => (/^[0-9]{1,15}$/.test(text.trim()) ? Number(text) : text.trim());
const unless = (value, name) => (value.trim() ? { [name]: value.trim() } : {});

const wishOf = (draft) => ({
  agent_id: nameOf(draft.agent), content: draft.content, memory_type: draft.type, scope: draft.scope,
  importance: Number(draft.importance), tags: tagsIn(draft.tags), ...(SHARED.includes(draft.scope) && { scope_id: nameOf(draft.scope_id) }),
});

const knownOf = (draft) => ({
  title: draft.title.trim(), content: draft.content, tags: tagsIn(draft.tags), ...unless(draft.category, "category"), ...unless(draft.url, "source_url"),
  ...(draft.project.trim() && { project_id: nameOf(draft.project) }),
});
