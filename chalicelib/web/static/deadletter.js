// One dead letter in a drawer: each attempt, the event, and what can be done with it.

import { html, useState } from "./preact-htm.js";
import { getDeadLetter } from "./api.js";
import { Question } from "./deadletterquestion.js";
import { Attempts, SubscriptionName } from "./delivery.js";
import { pageLink, pathOf, useAsk } from "./hooks.js";
import { JsonView } from "./json.js";
import { Badge, Drawer, ErrorPanel, Id, Skeleton, plural } from "./ui.js";

export function DeadLetterDetails({ id, names, focus, onClose, onDone }) {
  const { data, error, retry } = useAsk(() => getDeadLetter(id), id);
  const title = data ? html`<code>${data.type}</code>` : "Dead letter";
  return html`<${Drawer} title=${title} label="Dead letter ${id}" onClose=${onClose} focus=${focus}>
    ${error && html`<${ErrorPanel} title="The dead letter could not be read" error=${error} onRetry=${retry} />`}
    ${!data && !error && html`<${Skeleton} lines=${6} />`}
    ${data && html`<${Whole} letter=${data} name=${names[data.subscription]} onDone=${onDone} />`}
  <//>`;
}

function Whole({ letter, name, onDone }) {
  const [asking, ask] = useState(null);
  const button = (verb, word) => html`<button type="button" class="button ${verb === "retry" ? "primary" : ""}" onClick=${() => ask(verb)}>${word}</button>`;
  return html`<div class="subscription">
    <p class="drawer-sub"><${Id} value=${letter.event_id} keep=${12} /><span class="muted">for <${SubscriptionName} id=${letter.subscription} name=${name} /></span></p>
    <p class="reason"><${Badge} kind="failed">${letter.reason ?? "No reason was kept"}<//></p>
    <div class="actions">${button("retry", "Retry")}${button("purge", "Purge")}
      <a class="button" href=${pageLink(pathOf("events", letter.event_id), { tab: "trace" })}>Trace of the event</a></div>
    <h3>${plural(letter.attempts.length, "attempt")}</h3>
    <${Attempts} attempts=${letter.attempts} />
    <h3>Event</h3>
    ${letter.event ? html`<${JsonView} value=${letter.event} label="the event" />` : html`<p class="muted">It has passed out of the log's retention: it cannot be delivered any more.</p>`}
    ${asking && html`<${Question} verb=${asking} number="1 dead letter" scope=${{ ids: [letter.id] }} onClose=${() => ask(null)} onDone=${onDone} />`}
  </div>`;
}
