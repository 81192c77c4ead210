// One memory, or one piece of knowledge, in a drawer; and the question before it goes.

import { html } from "./preact-htm.js";
import { linkTo, useAct, useAsk } from "./hooks.js";
import { TYPES, forget, getMemory, isKnowledge, whereOf } from "./memorymodel.js";
import { Badge, Confirm, CopyButton, Drawer, ErrorPanel, Facts, Id, OutLink, Skeleton, Time, formatCount, toast } from "./ui.js";

const SHOWN = 160;
const WEB = ["https:", "http:"];

export function MemoryDrawer({ id, focus, onClose, onForget }) {
  const { data, error, retry } = useAsk(() => getMemory(id), id);
  const what = isKnowledge(id) ? "Knowledge" : "Memory";
  return html`<${Drawer} title=${data?.title ? html`<bdi>${data.title}</bdi>` : what} label="${what} ${id}" onClose=${onClose} focus=${focus}>
    ${error && html`<${ErrorPanel} title="It could not be read" error=${error} onRetry=${retry} />`}
    ${!data && !error && html`<${Skeleton} lines=${6} />`}
    ${data && html`<div class="memory">
      <p class="drawer-sub"><${Id} value=${id} keep=${8} /></p>
      <blockquote class="said"><p><bdi>${data.value ?? data.content}</bdi></p><${CopyButton} text=${data.value ?? data.content} label="Copy the text" /></blockquote>
      <p class="marks">${data.memory_type && html`<${Badge} sign="" kind=${data.memory_type === "error" ? "failed" : "quiet"}>${TYPES[data.memory_type] ?? data.memory_type}<//>`}
        ${data.tags.map((tag) => html`<a class="tag" href=${linkTo({ tag }, "memories")}><bdi>${tag}</bdi></a>`)}</p>
      <${Facts} facts=${isKnowledge(id) ? knownOf(data) : factsOf(data)} />
      <p class="actions"><button type="button" class="button danger" onClick=${() => onForget(data)}>Forget …</button></p>
    </div>`}
  <//>`;
}

const text = (value) => value !== null && value !== undefined && html`<bdi>${value}</bdi>`;

const factsOf = (memory) => [
  ["for", whereOf(memory) === "Own" ? "The agent alone" : text(whereOf(memory))],
  ["by", html`<a href=${linkTo({ agent: memory.agent_id, q: null }, "memories")}><bdi>${memory.agent_id}</bdi></a>`],
  ["written", html`<${Time} value=${memory.created_at} />`],
  ["called", html`<code>${memory.key}</code>`],
  ["importance", String(memory.importance)],
  ["from", (memory.source_type || memory.source_id) && text([memory.source_type, memory.source_id].filter(Boolean).join(" "))],
  ["recalled", memory.access_count > 0 && html`${formatCount(memory.access_count)} times, last <${Time} value=${memory.last_accessed_at} />`],
];

const knownOf = (known) => [
  ["category", text(known.category)],
  ["project", text(known.project_id)],
  ["by", text(known.author_agent_id)],
  ["written", html`<${Time} value=${known.created_at} />`],
  ["source", known.source_url && html`<${OutLink} url=${known.source_url} schemes=${WEB}><bdi>${known.source_url}</bdi><//>`],
];

/** Asks once before a memory goes. */
export function ForgetQuestion({ memory, onClose, onDone }) {
  const { run, busy, error } = useAct();
  const go = () => run(async () => {
    await forget(memory.id);
    toast("Forgotten");
    onDone();
  });
  const said = memory.value ?? memory.title;
  return html`<${Confirm} title="Forget it?" action=${busy ? "Forgetting …" : "Forget"} destroys=${true} onConfirm=${go} onClose=${onClose}>
    <p>“<bdi>${said.slice(0, SHOWN)}${said.length > SHOWN ? "…" : ""}</bdi>”</p>
    <p class="muted">Nobody recalls it any more. That cannot be undone here.</p>
    ${error && html`<${ErrorPanel} title="Not forgotten" error=${error} />`}
  <//>`;
}
