// Deliveries and where they go, in the small: names, states, attempts.

import { html } from "./preact-htm.js";
import { pageLink, pathOf } from "./hooks.js";
import { Badge, Time, formatCount } from "./ui.js";

const STATES = { RUNNING: ["ok", "Running"], PAUSED: ["warning", "Paused"], DISABLED: ["failed", "Disabled"] };

/** A subscription by its name, or its id where it has none; of a client the handler. */
export const SubscriptionName = ({ id, name, own }) =>
  id.includes("/")
    ? html`<span class="sub-name" title=${`${id} (a handler in a client)`}><code>${id}</code></span>`
    : html`<a class="sub-name" href=${pageLink(pathOf("subscriptions", id))} title=${name ? `${name} (${id})` : id} data-own=${own}>${name ?? html`<code>${`${id.slice(0, 8)}…${id.slice(-5)}`}</code>`}</a>`;

/** Attempts to deliver, the newest first. */
export function Attempts({ attempts }) {
  if (!attempts.length) return null;
  return html`<table class="attempts" aria-label="Attempts">
    <thead><tr><th scope="col">Attempt</th><th scope="col">Status</th><th scope="col" class="number">Took</th><th scope="col">Error</th></tr></thead>
    <tbody>${[...attempts].reverse().map((one) => html`<tr class="plain">
      <td><${Time} value=${one.at} /></td>
      <td>${one.error ? html`<span class="failed"><span aria-hidden="true">✕</span> ${one.status ?? "none"}</span>` : html`<span class="ok"><span aria-hidden="true">✓</span> ${one.status ?? "sent"}</span>`}</td>
      <td class="number">${formatCount(one.duration_ms)} ms</td>
      <td class="wrap">${one.error ?? "–"}</td>
    </tr>`)}</tbody>
  </table>`;
}

/** The state of a subscription, and since when it has not run. */
export function State({ row }) {
  const [kind, word] = STATES[row.state] ?? ["quiet", row.state];
  return html`<span class="state" title=${row.reason}><${Badge} kind=${kind}>${word}<//>${row.reason && html`<span class="muted reason">${row.reason}</span>`}</span>`;
}

export const targetOf = ({ url, queue, client_id: client }) => url ?? queue ?? client;
