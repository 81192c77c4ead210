// One subscription in a drawer: what it is, how it goes, and what can be done with it.

import { html, useState } from "./preact-htm.js";
import { getSubscription, pauseSubscription, removeSubscription, resumeSubscription, rotateSecret, testSubscription } from "./api.js";
import { State, targetOf } from "./delivery.js";
import { go, pageLink, useAct, useChanges, usePoll } from "./hooks.js";
import { JsonView } from "./json.js";
import { EditSubscription } from "./subscriptionform.js";
import { Badge, Confirm, CopyButton, Drawer, ErrorPanel, Field, Id, Secret, Skeleton, Time, formatCount, formatSpan, plural, toast } from "./ui.js";

const POLL_MS = 3_000;
const HOUR = 3_600;

/** `known` is the subscription as the list has it, until it has been read by itself. */
export function SubscriptionDrawer({ id, known, editing, focus, onClose, onChanged }) {
  const poll = usePoll(() => getSubscription(id), POLL_MS);
  useChanges(poll.refresh);
  const row = poll.data ?? known;
  const changed = () => (poll.refresh(), onChanged());
  if (row && editing) {
    return html`<${EditSubscription} row=${row} onClose=${() => go({ edit: null })} onDone=${() => (changed(), go({ edit: null }))} />`;
  }
  const title = row?.name ?? html`<code>${id}</code>`;
  return html`<${Drawer} title=${title} label="Subscription ${row?.name ?? id}" onClose=${onClose} focus=${focus}>
    <p class="drawer-sub"><${Id} value=${id} keep=${12} />${row && html`<span class="muted">made <${Time} value=${row.created_at} /></span>`}</p>
    ${poll.error && html`<${ErrorPanel} title="The subscription could not be read" error=${poll.error} onRetry=${poll.refresh} />`}
    ${!row && !poll.error && html`<${Skeleton} lines=${8} />`}
    ${row && html`<${Whole} row=${row} onChanged=${changed} onRemoved=${() => (onChanged(), onClose())} />`}
  <//>`;
}

function Whole({ row, onChanged, onRemoved }) {
  const [asking, ask] = useState(null);
  const [secret, setSecret] = useState(null);
  const close = () => ask(null);
  const Question = QUESTIONS[asking];
  const done = (answer) => {
    close();
    if (asking === "rotate") setSecret(answer.secret);
    if (asking === "remove") onRemoved();
    else onChanged();
  };
  return html`<div class="subscription">
    <p class="state-line"><${State} row=${row} />${row.stopped_s > 0 && html`<span class="muted">for ${formatSpan(row.stopped_s)}</span>`}</p>
    <div class="actions">
      ${row.state === "RUNNING" ? html`<${Button} onClick=${() => ask("pause")}>Pause<//>` : html`<${Button} kind="primary" onClick=${() => ask("resume")}>Resume<//>`}
      <${Button} onClick=${() => go({ edit: "1" })}>Edit<//>
      ${row.target.type === "webhook" && html`<${Button} onClick=${() => ask("rotate")}>Rotate secret<//>`}
      <${Button} onClick=${() => ask("remove")}>Delete<//>
    </div>
    ${secret && html`<${Secret} value=${secret} />`}
    <${Test} row=${row} />
    <${Counters} row=${row} />
    <${Facts} row=${row} />
    <h3>Filter</h3>
    ${Object.keys(row.filter).length ? html`<${JsonView} value=${row.filter} label="the filter" />` : html`<p class="muted">None: every event of its topics.</p>`}
    ${asking && html`<${Question} row=${row} onClose=${close} onDone=${done} />`}
  </div>`;
}

const Button = ({ kind = "", children, ...rest }) => html`<button type="button" class="button ${kind}" ...${rest}>${children}</button>`;

// Sends one event at once: the quickest answer to whether the target works.
function Test({ row }) {
  const { run, busy, error } = useAct();
  const [result, setResult] = useState(null);
  const send = async () => setResult((await run(() => testSubscription(row.id))) ?? null);
  return html`<div class="test">
    <${Button} disabled=${busy} onClick=${send}>${busy ? "Sending …" : "Send a test event"}<//>
    ${error && html`<${ErrorPanel} error=${error} />`}
    ${result && !busy && html`<p role="status"><${Badge} kind=${result.delivered ? "ok" : "failed"}>${result.delivered ? "Arrived" : "Failed"}<//>
      ${result.status !== null && html` status <strong>${result.status}</strong>`} in ${formatCount(result.duration_ms)} ms${result.error && html`<span class="failed">: ${result.error}</span>`}</p>`}
  </div>`;
}

const COUNTED = [
  ["delivered", "Delivered", "ok"],
  ["waiting", "Waiting", ""],
  ["failed", "Failed attempts", "warning"],
  ["dead", "Dead letters", "failed"],
  ["filtered_out", "Filtered out", ""],
  ["expired", "Expired", ""],
  ["skipped", "Skipped", ""],
  ["repeated", "Repeated", ""],
];

const Counters = ({ row }) =>
  html`<dl class="counters" aria-label="Counters">${COUNTED.map(([field, name, kind]) => html`<div>
    <dt>${name}</dt><dd class=${row.counters[field] ? kind : "muted"}>${formatCount(row.counters[field])}</dd></div>`)}</dl>
  <p class="links">
    <a href=${pageLink("dead-letters", { subscription: row.id })}>Its dead letters</a>
    <a href=${pageLink("events", { topics: row.topics.join(",") })}>Events of its topics</a>
    <a href=${pageLink("replays/new", { subscription: row.id })}>Replay to it</a>
  </p>`;

function Facts({ row }) {
  const { target, retry } = row;
  const facts = [
    ["topics", html`<span>${row.topics.map((topic) => html`<code>${topic}</code> `)}</span>`],
    [target.type, html`<span>${targetOf(target)}</span><${CopyButton} text=${targetOf(target)} label="Copy ${target.type}" />`],
    target.secrets && ["secret", html`<span>${target.secrets.map(({ hint, expires_at: until }) => html`<div>${hint}${until && html`<span class="muted"> until ${until}</span>`}</div>`)}</span>`],
    target.headers && Object.keys(target.headers).length && ["headers", html`<span>${Object.keys(target.headers).join(", ")}</span>`],
    ["waits", html`<span>${retry.schedule_s.map(formatSpan).join(", ") || "none: one attempt"}</span>`],
    ["timeout", html`<span>${formatSpan(retry.timeout_s)}</span>`],
    ["disabled after", html`<span>${formatSpan(retry.disable_after_s)} without a success</span>`],
    ["concurrency", html`<span>${row.concurrency ?? "no limit"}</span>`],
    ["rate limit", html`<span>${row.rate_limit ? `${formatCount(row.rate_limit)} a second` : "no limit"}</span>`],
    ["batch size", html`<span>${row.batch_size}</span>`],
    ["made by", html`<span>${row.created_by}</span>`],
  ];
  return html`<dl class="facts">${facts.filter(Boolean).map(([name, shown]) => html`<div><dt>${name}</dt><dd>${shown}</dd></div>`)}</dl>`;
}

const nameOf = ({ name, id }) => name ?? id;

// Each question does its act itself, so that what fails is told where it was asked.
function useQuestion(act, onDone) {
  const { run, busy, error } = useAct();
  const confirm = () => run(async () => onDone(await act()));
  return { confirm, busy, fault: error && html`<${ErrorPanel} error=${error} />` };
}

function PauseQuestion({ row, onClose, onDone }) {
  const [reason, setReason] = useState("");
  const { confirm, fault } = useQuestion(() => pauseSubscription(row.id, reason.trim()), onDone);
  return html`<${Confirm} title="Pause ${nameOf(row)}?" action="Pause" onConfirm=${confirm} onClose=${onClose}>
    <p>Nothing is delivered until it is resumed; what comes meanwhile can be caught up with.</p>
    <${Field} label="Reason" hint="for whoever finds it paused" id="pause-reason">
      <input id="pause-reason" autofocus maxlength="500" value=${reason} onInput=${(event) => setReason(event.target.value)} />
    <//>
    ${fault}
  <//>`;
}

function ResumeQuestion({ row, onClose, onDone }) {
  const [from, choose] = useState("last_processed");
  const { confirm, fault } = useQuestion(() => resumeSubscription(row.id, from), onDone);
  const option = (value, title, what) => html`<label class="choice">
    <input type="radio" name="resume-from" value=${value} checked=${from === value} onChange=${() => choose(value)} />
    <span><strong>${title}</strong><span class="muted">${what}</span></span></label>`;
  return html`<${Confirm} title="Resume ${nameOf(row)}?" action="Resume" onConfirm=${confirm} onClose=${onClose}>
    <fieldset class="choices"><legend class="offscreen">Where it goes on</legend>
      ${option("last_processed", "From the last processed event", `Everything since it stopped is delivered first: ${plural(row.counters.waiting, "event")} wait already.`)}
      ${option("latest", "From now on", "What came meanwhile is left out; a replay can still bring it.")}
    </fieldset>
    ${fault}
  <//>`;
}

function RotateQuestion({ row, onClose, onDone }) {
  const [hours, setHours] = useState("24");
  const { confirm, fault } = useQuestion(() => rotateSecret(row.id, Number(hours) * HOUR), onDone);
  return html`<${Confirm} title="Rotate the secret of ${nameOf(row)}?" action="Rotate" onConfirm=${confirm} onClose=${onClose}>
    <p>Requests are signed with a new secret, which is then shown once, and for a while with the present one as well.</p>
    <${Field} label="The present one works for" hint="hours, up to 168" id="rotate-hours">
      <input id="rotate-hours" type="number" min="0" max="168" value=${hours} onInput=${(event) => setHours(event.target.value)} />
    <//>
    ${fault}
  <//>`;
}

function RemoveQuestion({ row, onClose, onDone }) {
  const act = async () => {
    await removeSubscription(row.id);
    toast(`${nameOf(row)} was deleted`);
  };
  const { confirm, fault } = useQuestion(act, onDone);
  const { waiting, dead } = row.counters;
  const tools = html`<${CopyButton} text=${() => JSON.stringify(row, null, 2)}>Copy as JSON<//>`;
  return html`<${Confirm} title="Delete ${nameOf(row)}?" action="Delete for good" destroys=${true} tools=${tools} onConfirm=${confirm} onClose=${onClose}>
    <p>The subscription to <code>${row.topics.join(", ")}</code> that sends to <code>${targetOf(row.target)}</code> ends, with its counters.
      ${waiting > 0 && html` <strong>${plural(waiting, "event")}</strong> that wait will not be delivered.`}
      ${dead > 0 && " Its dead letters stay until they are purged."}</p>
    ${fault}
  <//>`;
}

const QUESTIONS = { pause: PauseQuestion, resume: ResumeQuestion, rotate: RotateQuestion, remove: RemoveQuestion };
