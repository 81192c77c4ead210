// Why an event was delivered, or was not: each subscription that wanted it with every
// attempt, and each other with the first condition that failed.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { getTrace, startReplay } from "./api.js";
import { Attempts, SubscriptionName } from "./delivery.js";
import { pageLink, pathOf, useAct, usePoll } from "./hooks.js";
import { Badge, Confirm, EmptyState, ErrorPanel, Skeleton, Time, formatCount, plural, toast } from "./ui.js";

const POLL_MS = 2_000;
const CALM_MS = 20_000;
const HURRY_MS = 15_000;
const SHOWN = 40;
const SEARCHED_FROM = 8;
const OUTCOMES = {
  queued: ["running", "Queued"],
  waiting: ["warning", "Waiting"],
  retrying: ["warning", "Retrying"],
  held: ["warning", "Held"],
  delivered: ["ok", "Delivered"],
  dead: ["failed", "Dead letter"],
  expired: ["quiet", "Expired"],
  skipped: ["quiet", "Skipped"],
  live: ["ok", "Sent live"],
};
const UNSETTLED = new Set(["queued", "waiting", "retrying", "held"]);
const URGENT = ["dead", "retrying", "held", "waiting", "queued"];

export function Trace({ id, sender }) {
  const [moving, setMoving] = useState(true);
  const { data, error, refresh } = usePoll(() => getTrace(id, sender), moving ? POLL_MS : CALM_MS);
  const hurry = useRef(0);
  useEffect(() => data && setMoving(Date.now() < hurry.current || data.matched.some(({ outcome }) => UNSETTLED.has(outcome))), [data]);
  const [query, setQuery] = useState("");
  if (!data) return error ? html`<${ErrorPanel} title="The trace could not be read" error=${error} onRetry=${refresh} />` : html`<${Skeleton} lines=${5} />`;
  const replayed = () => {
    hurry.current = Date.now() + HURRY_MS;
    refresh();
  };
  const fits = ({ subscription, name }) => `${name ?? ""}\n${subscription}`.toLowerCase().includes(query.toLowerCase());
  const [matched, unmatched] = [sorted(data.matched, urgency).filter(fits), sorted(data.unmatched, farness).filter(fits)];
  const many = data.matched.length + data.unmatched_count > SEARCHED_FROM;
  if (!data.matched.length && !data.unmatched_count) return html`<${Nobody} />`;
  return html`<div class="trace">
    ${many && html`<input type="search" aria-label="Find a subscription" placeholder="Find a subscription" value=${query} onInput=${(event) => setQuery(event.target.value)} />`}
    <h3>Matched <span class="muted">${formatCount(data.matched.length)}</span></h3>
    ${!matched.length && html`<p class="muted">${query ? "None of this name." : "No subscription wanted this event."}</p>`}
    <${Some} items=${matched} each=${(one) => html`<${Delivery} key=${`${one.subscription}~${one.replay}`} one=${one} event=${id} onReplayed=${replayed} />`} />
    ${data.unmatched_count > 0 && html`<${Others} all=${data.unmatched_count} shown=${unmatched} open=${Boolean(query) || !data.matched.length} />`}
  </div>`;
}

const sorted = (items, rank) => [...items].sort((a, b) => rank(a) - rank(b));
const urgency = ({ outcome }) => (URGENT.includes(outcome) ? URGENT.indexOf(outcome) : URGENT.length);
// Who wants other topics is seldom what is looked for; who nearly got it mostly is.
const farness = ({ reason }) => Number("topics" in reason.condition);

const Nobody = () =>
  html`<${EmptyState} title="Nobody subscribes yet.">
    <p>No subscription could have wanted this event. <a href=${pageLink("subscriptions/new")}>Make one</a>, then it is matched against what comes from now on.</p>
  <//>`;

// What is long is drawn by pieces.
function Some({ items, each }) {
  const [limit, setLimit] = useState(SHOWN);
  return html`${items.slice(0, limit).map(each)}
    ${items.length > limit && html`<button type="button" class="button small" onClick=${() => setLimit(limit + 5 * SHOWN)}>Show ${formatCount(items.length - limit)} more</button>`}`;
}

function Delivery({ one, event, onReplayed }) {
  const [asking, ask] = useState(false);
  const [kind, word] = OUTCOMES[one.outcome] ?? ["quiet", one.outcome];
  const canReplay = one.target === "webhook" || one.target === "queue";
  return html`<article class="delivery" aria-label="Delivery to ${one.name ?? one.subscription}">
    <header>
      <${Badge} kind=${kind}>${word}<//>
      <${SubscriptionName} id=${one.subscription} name=${one.name} />
      <span class="muted">${one.target}${one.replay && html` · <a href=${pageLink(pathOf("replays", one.replay))}>replay</a>`}</span>
      ${canReplay && html`<button type="button" class="button small" onClick=${() => ask(true)}>Replay to it</button>`}
    </header>
    ${one.note && html`<p class="muted">${one.note}</p>`}
    <${Attempts} attempts=${one.attempts} />
    ${UNSETTLED.has(one.outcome) && one.next_attempt_at && html`<p class="muted">Next attempt <${Due} value=${one.next_attempt_at} />.</p>`}
    ${one.dead_letter && html`<p><a href=${pageLink(pathOf("dead-letters", one.dead_letter))}>Open the dead letter</a></p>`}
    ${asking && html`<${ReplayQuestion} one=${one} event=${event} onClose=${() => ask(false)} onDone=${onReplayed} />`}
  </article>`;
}

const Due = ({ value }) => (Date.parse(value) > Date.now() ? html`<${Time} value=${value} />` : "is due now");

function ReplayQuestion({ one, event, onClose, onDone }) {
  const { run, error, busy } = useAct();
  const send = () => run(async () => {
    const replay = await startReplay({ subscription: one.subscription, from: event, to: event });
    toast(`The replay ${replay.id} delivers it again`);
    onClose();
    onDone();
  });
  const name = one.name ?? one.subscription;
  return html`<${Confirm} title="Replay to ${name}?" action=${busy ? "Starting …" : "Deliver it again"} onConfirm=${send} onClose=${onClose}>
    <p>This event goes to <strong>${name}</strong> once more, marked as a replay.</p>
    ${error && html`<${ErrorPanel} error=${error} />`}
  <//>`;
}

// Folded, because it is seldom what somebody looks for and may be long.
function Others({ all, shown, open }) {
  const [chosen, choose] = useState(null);
  const unfolded = chosen ?? open;
  return html`<h3><button type="button" class="fold-head" aria-expanded=${String(unfolded)} onClick=${() => choose(!unfolded)}>
      <span aria-hidden="true">${unfolded ? "▾" : "▸"}</span> Not matched <span class="muted">${formatCount(all)}</span></button></h3>
    ${unfolded && html`<ul class="others"><${Some} items=${shown} each=${(one) => html`<${Other} key=${one.subscription} one=${one} />`} /></ul>
      ${!shown.length && html`<p class="muted">None of this name.</p>`}
      ${all > shown.length && shown.length >= 200 && html`<p class="muted">${plural(all - shown.length, "subscription")} more did not match.</p>`}`}`;
}

const Other = ({ one }) =>
  html`<li><${Badge}>Not sent<//> <${SubscriptionName} id=${one.subscription} name=${one.name} />
    <p class="muted">${one.reason.message}</p></li>`;
