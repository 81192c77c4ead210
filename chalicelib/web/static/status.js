// What is running: the health checks, the counts, and what died in the queues.

import { html, useState } from "./preact-htm.js";
import { getDeadLetters, givenUp, purgeQueue, redrive } from "./api.js";
import { go, linkTo, pageLink, useAsk } from "./hooks.js";
import { JsonView } from "./json.js";
import { Badge, Confirm, CopyButton, Drawer, EmptyState, ErrorPanel, Id, Skeleton, Time, formatCount, plural, toast } from "./ui.js";

const HEALTH = {
  healthy: ["ok", "Healthy"],
  degraded: ["warning", "Degraded"],
  unhealthy: ["failed", "Unhealthy"],
};

/** The health checks and the counts, in one strip. */
export const Status = ({ health, stats }) =>
  html`<section class="status" aria-label="What is running">
    <${Health} health=${health} stats=${stats} />
    <dl class="counts">${COUNTS.map((count) => html`<${Count} ...${count} stats=${stats} />`)}</dl>
  </section>`;

function Health({ health, stats }) {
  const [kind, word] = verdict(health);
  return html`<div class="health">
    <${Badge} kind=${kind}>${word}<//>
    <ul class="checks">
      ${!health.error && Object.entries(health.data?.checks ?? {}).map(([name, said]) => html`<${Check} name=${name} said=${said} />`)}
      ${health.error && html`<${Check} name="health" said="${health.error.message} (${health.error.code})" />`}
      ${stats.error && html`<${Check} name="counts" said="${stats.error.message} (${stats.error.code})" />`}
    </ul>
  </div>`;
}

function verdict({ data, error }) {
  if (error) return ["failed", error.status ? "Failing" : "No answer"];
  return data ? (HEALTH[data.status] ?? ["quiet", String(data.status)]) : ["quiet", "Checking"];
}

const Check = ({ name, said }) =>
  said === "ok"
    ? html`<li class="check"><span class="ok" aria-hidden="true">✓</span> ${name}<span class="offscreen"> is ok</span></li>`
    : html`<li class="check failed"><span aria-hidden="true">✕</span> <strong>${name}</strong> ${String(said)}</li>`;

const COUNTS = [
  { name: "Published", field: "events_published", to: "events", hint: "Events accepted into the log" },
  { name: "Sent live", field: "events_delivered", hint: "Events sent to live connections" },
  { name: "Connections", field: "connections", hint: "Live connections, this page's among them" },
  { name: "Queue depth", field: "queue_depth", hint: "Messages on their way between functions" },
  { name: "Relay lag", field: "relay_lag_ms", unit: "ms", hint: "From the log to the queues" },
  { name: "Dead letters", field: "given_up", to: "dead-letters", alarms: true, hint: "What could not be delivered, and messages that could not be handled" },
];

function Count({ name, field, unit, to, alarms, hint, stats }) {
  const value = field === "given_up" && stats.data ? givenUp(stats.data) : stats.data?.[field];
  const known = typeof value === "number";
  const kind = alarms && value > 0 ? "warning" : "";
  const stale = stats.error && known ? "stale" : "";
  return html`<div class="count ${kind} ${stale}" title=${hint}>
    <dt>${to ? html`<a href=${pageLink(to)}>${name}</a>` : name}</dt>
    <dd>${kind && html`<span class="sign" aria-hidden="true">▲ </span>`}${known ? formatCount(Math.round(value)) : "–"}${known && unit && html`<small> ${unit}</small>`}</dd>
  </div>`;
}

/** The queues with dead letters; nothing when there are none. */
export function DeadLetters({ queues, onRedriven }) {
  const [asked, ask] = useState(null);
  const dead = (queues.data?.queues ?? []).filter((queue) => queue.dead > 0);
  if (queues.error) return html`<${ErrorPanel} title="The dead letters could not be counted" error=${queues.error} onRetry=${queues.refresh} />`;
  if (!dead.length) return null;
  return html`<section class="panel dead-letters" aria-label="Dead letters of queues">
    <h2><span class="warning" aria-hidden="true">▲</span> Dead letters of queues</h2>
    <ul>${dead.map((queue) => html`<${DeadQueue} key=${queue.name} queue=${queue} onRedrive=${() => ask(queue)} />`)}</ul>
    ${asked && html`<${RedriveQuestion} queue=${asked} onClose=${() => ask(null)} onDone=${onRedriven} />`}
  </section>`;
}

function DeadQueue({ queue, onRedrive }) {
  const inspect = (event) => {
    event.preventDefault();
    go({ dead: queue.name, event: null, panel: null });
  };
  return html`<li>
    <code>${queue.name}</code><strong class="number">${formatCount(queue.dead)}</strong>
    <a class="button small" href=${linkTo({ dead: queue.name, event: null, panel: null })} onClick=${inspect}>Inspect</a>
    <button type="button" class="button small" onClick=${onRedrive}>Redrive</button>
  </li>`;
}

/** Asks before a queue's dead letters are handled again. */
export function RedriveQuestion({ queue, onClose, onDone }) {
  const confirm = async () => {
    onClose();
    await sendAgain(queue.name);
    onDone();
  };
  return html`<${Confirm} title="Redrive ${queue.name}?" action="Redrive ${plural(queue.dead, "message")}" onConfirm=${confirm} onClose=${onClose}>
    <p>The ${plural(queue.dead, "dead letter")} of the queue <code>${queue.name}</code> will be handled again. What fails again comes back here.</p>
  <//>`;
}

/** Asks before a queue's dead letters are thrown away. */
export function PurgeQueueQuestion({ queue, onClose, onDone }) {
  const confirm = async () => {
    onClose();
    await throwAway(queue.name);
    onDone();
  };
  return html`<${Confirm} title="Purge ${queue.name}?" action="Purge ${plural(queue.dead, "message")}" destroys=${true} onConfirm=${confirm} onClose=${onClose}>
    <p>The ${plural(queue.dead, "dead letter")} of the queue <code>${queue.name}</code> will be thrown away for good. Look at them first: the drawer can copy them.</p>
  <//>`;
}

async function throwAway(name) {
  try {
    const { purged } = await purgeQueue(name);
    toast(`${plural(purged, "message")} of ${name} purged`);
  } catch (error) {
    toast(`Purge of ${name} failed: ${error.message} (${error.code})`, "failed");
  }
}

async function sendAgain(name) {
  try {
    const { redriven, failed } = await redrive(name);
    const rest = failed?.length ? `, ${failed.length} stayed: ${failed[0].reason ?? "no reason given"}` : "";
    toast(`${plural(redriven, "message")} of ${name} sent again${rest}`, rest ? "warning" : "ok");
  } catch (error) {
    toast(`Redrive of ${name} failed: ${error.message} (${error.code})`, "failed");
  }
}

/** The dead letters of one queue, in a drawer. */
export function DeadLetterDrawer({ queue, onClose }) {
  const { data, error, retry } = useAsk(() => getDeadLetters(queue), queue);
  const letters = data?.dead_letters ?? [];
  const tools = letters.length > 0 && html`<${CopyButton} text=${() => JSON.stringify(letters, null, 2)}>Copy all<//>`;
  const title = html`Dead letters of <code>${queue}</code>`;
  return html`<${Drawer} title=${title} label="Dead letters of ${queue}" onClose=${onClose} focus=${true} tools=${tools}>
    ${error && html`<${ErrorPanel} error=${error} onRetry=${retry} />`}
    ${!data && !error && html`<${Skeleton} lines=${6} />`}
    ${data && !letters.length && html`<${EmptyState} title="Nothing is dead here."><p>Everything in this queue was handled.</p><//>`}
    ${letters.map((letter) => html`<${Letter} key=${letter.id} letter=${letter} />`)}
  <//>`;
}

const Letter = ({ letter }) => html`<article class="letter">
  <p class="reason"><${Badge} kind="failed">${letter.reason || "No reason was kept"}<//></p>
  <p class="muted">sent <${Time} value=${letter.sent_at} /> · <${Id} value=${letter.id} /></p>
  <${JsonView} value=${bodyOf(letter)} label="the message" />
</article>`;

// A body is shown as JSON where it is some.
function bodyOf({ body }) {
  try {
    return typeof body === "string" ? JSON.parse(body) : body;
  } catch {
    return body;
  }
}
