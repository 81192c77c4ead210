// The page `/memories`: what agents remember, found by what it means, and what all know.

import { html, useRef, useState } from "./preact-htm.js";
import { escaping, go, linkTo, pathOf, useDrawer, useHotkeys, usePages } from "./hooks.js";
import { ListPanel } from "./list.js";
import { ForgetQuestion, MemoryDrawer } from "./memory.js";
import { NewMemory } from "./memoryform.js";
import { CLOSED, KNOWLEDGE, NEW, TYPES, getPage, percentOf, whereOf, wished } from "./memorymodel.js";
import { useSource } from "./source.js";
import { Age, Badge, EmptyState, Guard, Icon, PageTitle } from "./ui.js";

const FRESH_MS = 15_000;
const NOTHING = { q: null, type: null, tag: null };

export default function Memories({ place: { id, query }, source, config }) {
  const wish = wished(query);
  useSource(source, config, null);
  const list = usePages((cursor) => getPage(wish, cursor), (page) => page.rows, { ms: FRESH_MS, key: JSON.stringify(wish) });
  const drawer = useDrawer(CLOSED, "memories");
  const [leaving, setLeaving] = useState(null);
  const make = () => drawer.open({}, { withKey: true, id: NEW });
  useHotkeys({ n: make, Escape: escaping(id, drawer.close) });
  const words = wish.view ? "Add knowledge" : "Remember";
  const action = html`<a class="button primary" href=${linkTo(CLOSED, pathOf("memories", NEW))} title="n" onClick=${(event) => (event.preventDefault(), make())}><${Icon} name="plus" />${words}</a>`;
  const choosing = !wish.view && !wish.agent;
  const open = (row, { byKey }) => (choosing ? go({ agent: row.agent }, { path: "memories" }) : drawer.open({}, { withKey: byKey, id: row.id }));
  const gone = () => {
    setLeaving(null);
    drawer.close();
    list.refresh();
  };
  return html`<main id="main" class="main memories-page" tabindex="-1">
      <${PageTitle} title="Memories" actions=${action}>What agents remember, found by what it means; and what everybody may look up.<//>
      <${Guard}><${ListPanel} label=${wish.view ? "Knowledge" : "Memories"} noun=${nounOf(wish)} list=${list} columns=${columnsOf(wish)} keyOf=${(row) => row.id} opened=${id}
        tools=${html`<${Tools} wish=${wish} opened=${Boolean(id)} />`} waiting=${html`<${Skipped} spaces=${list.first?.skipped} />`}
        empty=${html`<${None} wish=${wish} action=${action} />`} onOpen=${open}
        onMove=${(row) => !choosing && id && id !== NEW && go(CLOSED, { replace: true, path: pathOf("memories", row.id) })} /><//>
    </main>
    ${id === NEW && html`<${Guard} key="new"><${NewMemory} key=${wish.view} knowledge=${Boolean(wish.view)} agent=${wish.agent} onClose=${drawer.close} onDone=${list.refresh} /><//>`}
    ${id && id !== NEW && html`<${Guard} key=${id}><${MemoryDrawer} key=${id} id=${id} focus=${drawer.byKey} onClose=${drawer.close} onForget=${setLeaving} /><//>`}
    ${leaving && html`<${ForgetQuestion} memory=${leaving} onClose=${() => setLeaving(null)} onDone=${gone} />`}`;
}

// A word that forms its plural with an s.
const nounOf = ({ view, agent }) => (view || agent ? "text" : "agent");

/** Which memories are shown: all of it is the address. */
function Tools({ wish, opened }) {
  const form = useRef();
  useHotkeys({ "/": () => !opened && form.current.querySelector("[name=q]").focus() });
  const submit = (event) => {
    event.preventDefault();
    const told = new FormData(form.current);
    go({ agent: told.get("agent")?.trim() || (wish.view ? wish.agent : null), q: told.get("q").trim() || null });
  };
  const view = (id, words) => html`<a class="button" href=${linkTo({ view: id, ...NOTHING })} aria-current=${id === wish.view ? "true" : null}>${words}</a>`;
  const clear = () => go(NOTHING);
  return html`<form class="filter-bar memory-filters" role="search" aria-label="Search" ref=${form} onSubmit=${submit} key=${JSON.stringify(wish)}>
    <div class="views" role="group" aria-label="What is shown">${view(null, "Memories")}${view(KNOWLEDGE, "Knowledge")}</div>
    ${!wish.view && html`<input name="agent" class="mono agent" aria-label="As which agent" placeholder="Agent" maxlength="128" autocomplete="off" spellcheck=${false} defaultValue=${wish.agent ?? ""} />`}
    <input name="q" type="search" class="question" aria-label="Question" placeholder=${wish.view ? "What is to be looked up?" : "What is to be recalled?"} maxlength="1000" autocomplete="off" defaultValue=${wish.question ?? ""} />
    ${!wish.view && html`<select aria-label="Type" value=${wish.type ?? ""} onChange=${({ target }) => go({ type: target.value || null })}>
      <option value="">Every type</option>${Object.entries(TYPES).map(([value, name]) => html`<option value=${value}>${name}</option>`)}</select>`}
    <button type="submit" class="button"><${Icon} name="search" />Search</button>
    ${wish.tag && html`<span class="chip"><code>${wish.tag}</code><button type="button" class="icon-button" aria-label="Without the tag" title="Without the tag" onClick=${() => go({ tag: null })}><${Icon} name="close" /></button></span>`}
    ${(wish.question || wish.type) && html`<button type="button" class="button quiet" onClick=${clear}>Clear</button>`}
  </form>`;
}

// Silence would look as if nothing was known there.
const Skipped = ({ spaces }) =>
  spaces?.length > 0 && html`<p class="notice skipped" role="status">Not looked for in ${spaces.map(({ space }) => space).join(", ")}: the vectors there are of another model.</p>`;

const Tags = ({ tags }) => tags.slice(0, 3).map((tag) => html`<span class="tag" title=${tag}><bdi>${tag}</bdi></span>`);
const Said = ({ id, text }) => html`<a href=${linkTo(CLOSED, pathOf("memories", id))} tabindex="-1" title=${text.slice(0, 400)}><bdi>${text.slice(0, 400)}</bdi></a>`;

const NEARNESS = { name: "Near", class: "col-near number", hint: "How near it is to the question", cell: ({ similarity }) => percentOf(similarity) };
const WRITTEN = { name: "Written", class: "col-age number", cell: (row) => html`<${Age} value=${row.created_at} />` };
const TAGS = { name: "Tags", class: "col-tags", cell: ({ tags }) => html`<${Tags} tags=${tags} />` };

function columnsOf({ view, agent, question }) {
  if (view) return [
    ...(question ? [NEARNESS] : []),
    { name: "Title", class: "col-known", cell: (row) => html`<${Said} id=${row.id} text=${row.title} />` },
    { name: "Content", class: "col-title", cell: ({ content }) => html`<bdi>${content.slice(0, 400)}</bdi>` },
    { name: "Category", class: "col-kind", cell: ({ category }) => html`<bdi>${category ?? ""}</bdi>` },
    TAGS, WRITTEN,
  ];
  if (!agent) return [
    { name: "Agent", class: "col-title", cell: (row) => html`<a href=${linkTo({ agent: row.agent }, "memories")} tabindex="-1"><bdi>${row.agent}</bdi></a>` },
    { name: "Vectors", class: "col-model", hint: "Of which model, and how long", cell: ({ model }) => html`<code>${model}</code>` },
  ];
  return [
    ...(question ? [NEARNESS] : []),
    { name: "Memory", class: "col-title", cell: (row) => html`<${Said} id=${row.id} text=${row.value} />` },
    { name: "Type", class: "col-kind", cell: (row) => html`<${Badge} sign="" kind=${row.memory_type === "error" ? "failed" : "quiet"}>${TYPES[row.memory_type] ?? row.memory_type}<//>` },
    { name: "For", class: "col-scope", hint: "Who recalls it", cell: (row) => html`<bdi>${whereOf(row)}</bdi>` },
    TAGS,
    { name: "By", class: "col-agent", hint: "The agent that wrote it", cell: (row) => html`<bdi>${row.agent_id}</bdi>` },
    ...(question ? [] : [WRITTEN]),
  ];
}

function None({ wish, action }) {
  if (wish.question || wish.type || wish.tag) return html`<${EmptyState} title="Nothing fits.">
    <p>Other words may be nearer to what was written.</p>
    <p class="actions"><button type="button" class="button" onClick=${() => go(NOTHING)}>Show all</button></p><//>`;
  if (wish.view) return html`<${EmptyState} title="Nothing is known yet."><p>Knowledge is what everybody may look up: how to deploy, what a customer is called.</p><p class="actions">${action}</p><//>`;
  return html`<${EmptyState} title=${wish.agent ? "This agent remembers nothing." : "Nobody remembers anything yet."}>
    <p>A memory is a text that an agent keeps for itself, for a circle, for a project or for everybody. It is found again by what it means.</p>
    <p class="actions">${action}</p><//>`;
}
