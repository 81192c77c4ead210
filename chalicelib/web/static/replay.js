// One replay in a drawer, and the form that starts one: counted first, then done.

import { html, useState } from "./preact-htm.js";
import { cancelReplay, getReplay, startReplay } from "./api.js";
import { SubscriptionName, targetOf } from "./delivery.js";
import { FilterField, filterIn, jsonFault } from "./filterfield.js";
import { goTo, pageLink, pathOf, useAct, usePoll } from "./hooks.js";
import { JsonView } from "./json.js";
import { Moment } from "./timerange.js";
import { patternFault, splitTopics } from "./topics.js";
import { Badge, Confirm, Drawer, ErrorPanel, Field, Id, Skeleton, exactTime, formatCount, plural, toast } from "./ui.js";

const POLL_MS = 1_500;
const STATES = { RUNNING: ["running", "Running"], DONE: ["ok", "Done"], CANCELLED: ["quiet", "Cancelled"] };

/** How far a replay has come, as a word and a bar. */
export function Progress({ row }) {
  const [kind, word] = STATES[row.state] ?? ["quiet", row.state];
  const share = Math.round(row.progress * 100);
  return html`<span class="progress"><${Badge} kind=${kind}>${word}<//>
    <progress max="100" value=${share} aria-label="Progress"></progress><span class="number muted">${share} %</span></span>`;
}

export function ReplayDrawer({ id, names, focus, onClose, onChanged }) {
  const { data: row, error, refresh } = usePoll(() => getReplay(id), POLL_MS);
  const [asking, ask] = useState(false);
  const changed = () => (ask(false), refresh(), onChanged());
  return html`<${Drawer} title=${row?.kind === "catch_up" ? "Catch-up" : "Replay"} label="Replay ${id}" onClose=${onClose} focus=${focus}>
    <p class="drawer-sub"><${Id} value=${id} keep=${12} /></p>
    ${error && html`<${ErrorPanel} title="The replay could not be read" error=${error} onRetry=${refresh} />`}
    ${!row && !error && html`<${Skeleton} lines=${6} />`}
    ${row && html`<div class="subscription">
      <${Progress} row=${row} />
      ${row.reason && html`<p class="muted">${row.reason}</p>`}
      ${row.state === "RUNNING" && html`<div class="actions"><button type="button" class="button" onClick=${() => ask(true)}>Cancel it</button></div>`}
      <${Facts} row=${row} name=${names[row.subscription]} />
      ${row.filter && html`<h3>Filter</h3><${JsonView} value=${row.filter} label="the filter" />`}
    </div>`}
    ${asking && html`<${CancelQuestion} row=${row} onClose=${() => ask(false)} onDone=${changed} />`}
  <//>`;
}

function Facts({ row, name }) {
  const moment = (value) => (Date.parse(value) <= 0 ? "the beginning" : exactTime(Date.parse(value)));
  const facts = [
    ["to", html`<${SubscriptionName} id=${row.subscription} name=${name} />`],
    ["from", moment(row.from)],
    ["until", moment(row.to)],
    row.topics && ["topics", [row.topics].flat().join(", ")],
    ["looked at", plural(row.scanned, "event")],
    ["handed on", plural(row.matched, "event")],
    ["started", moment(row.created_at)],
    row.ended_at && ["ended", moment(row.ended_at)],
  ];
  return html`<dl class="facts">${facts.filter(Boolean).map(([word, value]) => html`<div><dt>${word}</dt><dd><span>${value}</span></dd></div>`)}</dl>`;
}

function CancelQuestion({ row, onClose, onDone }) {
  const { run, error } = useAct();
  const cancel = () => run(async () => {
    await cancelReplay(row.id);
    toast(`The replay ${row.id} was cancelled`);
    onDone();
  });
  return html`<${Confirm} title="Cancel this replay?" action="Cancel the replay" destroys=${true} onConfirm=${cancel} onClose=${onClose}>
    <p>${plural(row.matched, "event")} went already and will not be taken back; the rest will not be sent.</p>
    ${error && html`<${ErrorPanel} error=${error} />`}
  <//>`;
}

const BLANK = { subscription: "", from: null, to: null, topics: "", filter: "" };

/** What would be delivered is counted first; only then can it be started. */
export function NewReplay({ subscriptions, wanted, onClose, onStarted }) {
  const [draft, setDraft] = useState({ ...BLANK, subscription: wanted ?? "" });
  const [counted, setCounted] = useState(null);
  const { run, busy, error, clear } = useAct();
  const running = (subscriptions ?? []).filter((row) => row.state === "RUNNING");
  const chosen = draft.subscription || running[0]?.id || "";
  const fault = splitTopics(draft.topics).map(patternFault).find(Boolean);
  const ready = chosen && !fault && !jsonFault(draft.filter);
  const change = (changes) => (setDraft({ ...draft, ...changes }), setCounted(null), clear());
  const wish = () => wishOf({ ...draft, subscription: chosen });
  const count = async () => setCounted((await run(() => startReplay({ ...wish(), dry_run: true }))) ?? null);
  const start = () => run(async () => {
    const replay = await startReplay(wish());
    onStarted();
    goTo(pageLink(pathOf("replays", replay.id)));
  });
  const submit = (event) => {
    event.preventDefault();
    if (ready && !busy) (counted ? start : count)();
  };
  return html`<${Drawer} title="New replay" label="New replay" onClose=${onClose} focus=${true}>
    <form class="publish" onSubmit=${submit} novalidate>
      <${Field} label="Deliver to" id="replay-to" hint="subscriptions that run">
        <select id="replay-to" autofocus value=${chosen} onChange=${(event) => change({ subscription: event.target.value })}>
          ${chosen && !running.some(({ id }) => id === chosen) && html`<option value=${chosen}>${chosen}</option>`}
          ${running.map((row) => html`<option value=${row.id}>${row.name ?? row.id} → ${targetOf(row.target)}</option>`)}
        </select>
      <//>
      ${subscriptions && !running.length && html`<p class="muted">No subscription runs. <a href=${pageLink("subscriptions")}>Make or resume one</a> first.</p>`}
      <div class="pair">
        <${Field} label="From" hint="or the beginning" id="replay-from"><${Moment} label="From" id="replay-from" value=${draft.from} onChoose=${(from) => change({ from })} /><//>
        <${Field} label="To" hint="or now" id="replay-until"><${Moment} label="To" id="replay-until" value=${draft.to} onChoose=${(to) => change({ to })} /><//>
      </div>
      <${Field} label="Topics" hint="optional; narrows what the subscription wants" id="replay-topics" fault=${fault}>
        <input id="replay-topics" class="mono" spellcheck=${false} autocomplete="off" placeholder="order.*" value=${draft.topics} onInput=${(event) => change({ topics: event.target.value })} />
      <//>
      <${FilterField} topics=${draft.topics} value=${draft.filter} onChange=${(filter) => change({ filter })} />
      ${counted && html`<${Counted} counted=${counted} />`}
      <footer class="dialog-foot">
        ${error && html`<${ErrorPanel} title="Not started" error=${error} />`}
        ${counted
          ? html`<button type="submit" class="button primary" disabled=${busy || !counted.matched}>${busy ? "Starting …" : `Deliver ${plural(counted.matched, "event")}`}</button>`
          : html`<button type="submit" class="button primary" disabled=${busy || !ready}>${busy ? "Counting …" : "Count first (dry run)"}</button>`}
      </footer>
    </form>
  <//>`;
}

const Counted = ({ counted: { matched, scanned, complete } }) =>
  html`<p role="status"><${Badge} kind=${matched ? "ok" : "warning"}>${complete ? "" : "At least "}${plural(matched, "event")} of ${formatCount(scanned)}<//>
    ${matched ? " would be delivered again, marked as a replay." : " Nothing would be delivered: widen the time, the topics or the filter."}
    ${!complete && html`<span class="muted"> Counting took too long to finish; the replay itself takes all.</span>`}</p>`;

function wishOf({ subscription, from, to, topics, filter }) {
  const patterns = splitTopics(topics);
  const wish = { subscription, from, to, topics: patterns.length ? patterns : null, filter: filterIn(filter) };
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== null));
}
