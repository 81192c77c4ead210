// The forms that make and change a subscription, with its filter tried before it counts.

import { html, useState } from "./preact-htm.js";
import { changeSubscription, createSubscription } from "./api.js";
import { FilterField, filterIn, jsonFault } from "./filterfield.js";
import { goTo, pageLink, pathOf, useAct } from "./hooks.js";
import { Moment } from "./timerange.js";
import { patternFault, splitTopics } from "./topics.js";
import { Drawer, ErrorPanel, Field, Secret } from "./ui.js";

const BLANK = {
  name: "", topics: "", filter: "", kind: "webhook", url: "", queue: "", headers: "", secret: "",
  schedule: "", timeout: "", concurrency: "", rate: "", batch: "", start: "latest", since: null,
};

export function NewSubscription({ onClose, onDone }) {
  const { run, busy, error } = useAct();
  const [made, setMade] = useState(null);
  const save = (draft) => run(async () => {
    const answer = await createSubscription(wishOf(draft));
    onDone();
    if (answer.secret) setMade(answer);
    else goTo(pageLink(pathOf("subscriptions", answer.id)));
  });
  if (made) return html`<${Made} made=${made} onClose=${onClose} />`;
  return html`<${Drawer} title="New subscription" label="New subscription" onClose=${onClose} focus=${true}>
    <${Form} first=${BLANK} busy=${busy} error=${error} action="Subscribe" onSave=${save} />
  <//>`;
}

const Made = ({ made, onClose }) =>
  html`<${Drawer} title="Subscribed" label="Subscribed" onClose=${onClose} focus=${true}>
    <p class="published" role="status"><span class="ok" aria-hidden="true">✓</span><span>${made.name ?? html`<code>${made.id}</code>`} is subscribed.</span></p>
    <${Secret} value=${made.secret} />
    <p><a class="button primary" href=${pageLink(pathOf("subscriptions", made.id))}>Done: open it</a></p>
  <//>`;

/** Changes a subscription: only what was touched is sent. */
export function EditSubscription({ row, onClose, onDone }) {
  const { run, busy, error } = useAct();
  const [first] = useState(() => draftOf(row));
  const save = (draft) => run(async () => onDone(await changeSubscription(row.id, changesOf(first, draft))));
  return html`<${Drawer} title="Edit ${row.name ?? row.id}" label="Edit ${row.name ?? row.id}" onClose=${onClose} focus=${true}>
    <${Form} first=${first} busy=${busy} error=${error} action="Save" onSave=${save} editing=${true} />
  <//>`;
}

function Form({ first, busy, error, action, onSave, editing }) {
  const [draft, setDraft] = useState(first);
  const faults = faultsOf(draft);
  const complete = draft.topics.trim() && (draft.kind === "webhook" ? draft.url : draft.queue).trim();
  const change = (changes) => setDraft({ ...draft, ...changes });
  const submit = (event) => {
    event.preventDefault();
    if (complete && !faults.any) onSave(draft);
  };
  const text = (name, more = {}) => html`<input id="sub-${name}" class="mono" spellcheck=${false} autocomplete="off" value=${draft[name]}
    aria-invalid=${faults[name] ? "true" : null} onInput=${(event) => change({ [name]: event.target.value })} ...${more} />`;
  const field = (name, label, hint, more) => html`<${Field} label=${label} hint=${hint} id="sub-${name}" fault=${faults[name]}>${text(name, more)}<//>`;
  return html`<form class="publish" onSubmit=${submit} novalidate>
    ${field("topics", "Topics", "patterns with commas between", { autofocus: true, placeholder: "order.*, payment.**" })}
    <${FilterField} topics=${draft.topics} value=${draft.filter} onChange=${(filter) => change({ filter })} />
    ${field("name", "Name", "optional; an event's target may call it", {})}
    <fieldset class="choices row" disabled=${editing}><legend>Send to</legend>
      <${Kind} draft=${draft} kind="webhook" onChoose=${change}>a webhook<//><${Kind} draft=${draft} kind="queue" onChoose=${change}>a queue<//>
    </fieldset>
    ${draft.kind === "webhook" && html`
      ${field("url", "URL", "gets a signed POST", { type: "url", placeholder: "https://example.com/hooks" })}
      <${Field} label="Headers" hint=${editing ? "a line each; replaces those there are" : "a line each: Name: value"} id="sub-headers" fault=${faults.headers}>
        <textarea id="sub-headers" class="mono" rows="2" spellcheck=${false} value=${draft.headers} onInput=${(event) => change({ headers: event.target.value })} />
      <//>
      ${!editing && field("secret", "Secret", "optional; else one is made", { placeholder: "whsec_…" })}`}
    ${draft.kind === "queue" && field("queue", "Queue", "its name, in this account", { placeholder: "eventyard-target-orders" })}
    ${!editing && html`<${Start} draft=${draft} onChange=${change} />`}
    <details class="more"><summary>Retries and limits</summary><div class="publish">
      ${field("schedule", "Waits between attempts", "seconds, with commas", { placeholder: "5, 300, 1800, 7200, 18000, 36000, 36000" })}
      <div class="pair">
        ${field("timeout", "Timeout", "seconds", { inputmode: "decimal", placeholder: "15" })}
        ${field("batch", "Batch", "events in one request", { inputmode: "numeric", placeholder: "1" })}
        ${field("concurrency", "Concurrency", "requests at a time", { inputmode: "numeric", placeholder: "no limit" })}
        ${field("rate", "Rate", "events a second", { inputmode: "decimal", placeholder: "no limit" })}
      </div>
    </div></details>
    <footer class="dialog-foot">
      ${error && html`<${ErrorPanel} title=${editing ? "Not changed" : "Not subscribed"} error=${error} />`}
      <button type="submit" class="button primary" disabled=${busy || !complete || faults.any}>${busy ? "Saving …" : action}</button>
    </footer>
  </form>`;
}

const Kind = ({ draft, kind, onChoose, children }) => html`<label class="choice">
  <input type="radio" name="sub-kind" checked=${draft.kind === kind} onChange=${() => onChoose({ kind })} /><span>${children}</span></label>`;

const Start = ({ draft, onChange }) => html`<div class="pair">
  <${Field} label="Begin with" id="sub-start">
    <select id="sub-start" value=${draft.start} onChange=${(event) => onChange({ start: event.target.value })}>
      <option value="latest">What comes from now on</option><option value="earliest">All that the log holds</option><option value="time">What came since …</option>
    </select>
  <//>
  ${draft.start === "time" && html`<${Field} label="Since" id="sub-since"><${Moment} label="Since" id="sub-since" value=${draft.since} onChoose=${(since) => onChange({ since })} /><//>`}
</div>`;

function faultsOf(draft) {
  const faults = {
    topics: splitTopics(draft.topics).map(patternFault).find(Boolean),
    filter: jsonFault(draft.filter),
    headers: linesOf(draft.headers).every((line) => /^[^:\s]+:\s*\S/.test(line)) ? null : "A header is a line as Name: value.",
    schedule: numbersIn(draft.schedule).every((seconds) => seconds >= 0) ? null : "Waits are seconds with commas between, as in 5, 300.",
    ...Object.fromEntries(["timeout", "batch", "concurrency", "rate"].map((name) => [name, !draft[name] || Number(draft[name]) > 0 ? null : "This must be a number above 0."])),
  };
  return { ...faults, any: Object.values(faults).some(Boolean) };
}

const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const numbersIn = (text) => text.split(/[\s,]+/).filter(Boolean).map(Number);
const numberIn = (text) => (text.trim() ? Number(text) : null);

function headersIn(text) {
  return Object.fromEntries(linesOf(text).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
}

// What the server is asked for; what was left out is its to choose.
function wishOf(draft) {
  const start = draft.start === "time" ? draft.since : draft.start;
  return without({
    ...plainOf(draft),
    target: targetIn(draft),
    start: start === "latest" ? null : start,
  });
}

const plainOf = (draft) => ({
  topics: splitTopics(draft.topics),
  filter: filterIn(draft.filter),
  name: draft.name.trim() || null,
  retry: retryIn(draft),
  concurrency: numberIn(draft.concurrency),
  rate_limit: numberIn(draft.rate),
  batch_size: numberIn(draft.batch),
});

function targetIn({ kind, url, queue, headers, secret }) {
  if (kind === "queue") return { type: kind, queue: queue.trim() };
  return without({ type: kind, url: url.trim(), secret: secret.trim() || null, headers: headers.trim() ? headersIn(headers) : null });
}

function retryIn({ schedule, timeout }) {
  const retry = without({ schedule_s: schedule.trim() ? numbersIn(schedule) : null, timeout_s: numberIn(timeout) });
  return Object.keys(retry).length ? retry : null;
}

const without = (wish) => Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== null));

function draftOf({ name, topics, filter, target, retry, concurrency, rate_limit: rate, batch_size: batch }) {
  const shown = (value) => (value === null ? "" : String(value));
  return {
    ...BLANK,
    name: name ?? "",
    topics: topics.join(", "),
    filter: Object.keys(filter).length ? JSON.stringify(filter, null, 2) : "",
    kind: target.type,
    url: target.url ?? "",
    queue: target.queue ?? "",
    schedule: retry.schedule_s.join(", "),
    timeout: shown(retry.timeout_s),
    concurrency: shown(concurrency),
    rate: shown(rate),
    batch: shown(batch),
  };
}

// null takes a limit, a name or a filter away; what did not change is not named.
function changesOf(first, draft) {
  const [before, after] = [plainOf(first), plainOf(draft)];
  const differs = ([name, value]) => JSON.stringify(before[name]) !== JSON.stringify(value);
  const changes = Object.fromEntries(Object.entries(after).filter(differs));
  const moved = ["url", "queue", "headers"].some((name) => first[name] !== draft[name]);
  return moved ? { ...changes, target: targetIn(draft) } : changes;
}
