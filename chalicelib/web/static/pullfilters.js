// Which pull requests are shown, and how: all of it is the address.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { getRepositories } from "./api.js";
import { go, linkTo, useHotkeys, useLatest, useMedia, usePoll } from "./hooks.js";
import { RISKS, STATUSES } from "./pullmodel.js";
import { Icon, IconButton } from "./ui.js";

const TYPING_MS = 300;
const REPOSITORIES_MS = 60_000;
const PHONE = "(max-width: 720px)";
/** What leaves the address when everything is to be shown. */
export const ANYTHING = { repository: null, status: null, risk: null, author: null, reviewer: null, q: null, draft: null, stale: null };

/** `wish` is what the address asks for, `authors` those that were seen. */
export function Filters({ wish, stale, table, authors }) {
  const phone = useMedia(PHONE);
  const [open, setOpen] = useState(false);
  const chosen = [wish.repository, ...wish.status, wish.risk, wish.author, wish.reviewer, wish.draft, stale].filter(Boolean).length;
  return html`<form class="filter-bar pull-filters" role="search" aria-label="Filter the pull requests" onSubmit=${(event) => event.preventDefault()}>
      <${TextField} q=${wish.q} />
      ${phone && html`<button type="button" class="button" aria-expanded=${String(open)} onClick=${() => setOpen(!open)}><${Icon} name="filter" />Filters${chosen > 0 && ` (${chosen})`}</button>`}
      ${(!phone || open) && html`<${Choices} wish=${wish} stale=${stale} authors=${authors} />`}
      ${(chosen > 0 || wish.q) && html`<button type="button" class="button quiet" onClick=${() => go(ANYTHING)}>Clear</button>`}
    </form>
    <${Views} table=${table} />`;
}

function Choices({ wish, stale, authors }) {
  const repositories = usePoll(getRepositories, REPOSITORIES_MS);
  const names = (repositories.data?.repositories ?? []).map((one) => one.full_name);
  return html`<${Choice} label="Repository" name="repository" any="Every repository" value=${wish.repository} options=${pairs(names)} />
    <${Choice} label="Status" name="status" any="Every status" value=${wish.status.length > 1 ? "some" : (wish.status[0] ?? "")} options=${statusesFor(wish.status)} />
    <${Choice} label="Risk" name="risk" any="Every risk" value=${wish.risk} options=${Object.entries(RISKS).map(([id, [, words]]) => [id, words])} />
    <${Choice} label="Author" name="author" any="Every author" value=${wish.author} options=${pairs(authors)} />
    <${Toggle} name="draft" on=${wish.draft}>Drafts<//>
    <${Toggle} name="stale" on=${stale}>Stale<//>
    ${wish.reviewer && html`<span class="chip"><span>Reviewer: <bdi>${wish.reviewer}</bdi></span><${IconButton} icon="close" label="Remove the reviewer ${wish.reviewer}" onClick=${() => go({ reviewer: null })} /></span>`}`;
}

const pairs = (names) => names.map((name) => [name, name]);

// An address may ask for several, which a list of one choice can only tell of.
const statusesFor = (chosen) => [
  ...(chosen.length > 1 ? [["some", chosen.map((status) => STATUSES[status][1]).join(", ")]] : []),
  ...Object.entries(STATUSES).map(([id, [, words]]) => [id, words]),
];

const Choice = ({ label, name, any, value, options }) =>
  html`<select aria-label=${label} value=${value} onChange=${(event) => event.target.value !== "some" && go({ [name]: event.target.value || null })}>
    <option value="">${any}</option>
    ${value && !options.some(([id]) => id === value) && html`<option value=${value}>${value}</option>`}
    ${options.map(([id, words]) => html`<option value=${id}>${words}</option>`)}
  </select>`;

const Toggle = ({ name, on, children }) =>
  html`<button type="button" class="button toggle" aria-pressed=${String(on)} onClick=${() => go({ [name]: on ? null : "true" })}>${children}</button>`;

// What is typed becomes the address after a moment: one step back undoes it.
function TextField({ q }) {
  const field = useRef();
  const [text, setText] = useState(q);
  const typing = useRef(null);
  const moved = useRef(false);
  useHotkeys({ "/": () => field.current.select() });
  const apply = useLatest(() => {
    typing.current = null;
    go({ q: text.trim() || null }, { replace: moved.current });
    moved.current = true;
  });
  useEffect(() => void (typing.current || text.trim() === q || setText(q)), [q]);
  useEffect(() => () => clearTimeout(typing.current), []);
  const type = (event) => {
    setText(event.target.value);
    clearTimeout(typing.current);
    typing.current = setTimeout(() => apply.current(), TYPING_MS);
  };
  return html`<div class="topics-field">
    <${Icon} name="search" />
    <input ref=${field} type="search" aria-label="Text" placeholder="Title, branch, number …" title="Text (/)" autocomplete="off" spellcheck=${false} maxlength="200"
      value=${text} onInput=${type} onFocus=${() => (moved.current = false)} />
  </div>`;
}

const Views = ({ table }) =>
  html`<div class="views" role="group" aria-label="View">
    <a class="button" href=${linkTo({ view: null })} aria-current=${table ? null : "true"}><${Icon} name="board" />Board</a>
    <a class="button" href=${linkTo({ view: "table" })} aria-current=${table ? "true" : null}><${Icon} name="table" />Table</a>
  </div>`;
