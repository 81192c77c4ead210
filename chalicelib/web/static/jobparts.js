// Jobs in the small: the badges, names and bars that the table and the drawer share.

import { html } from "./preact-htm.js";
import { stopJob } from "./api.js";
import { linkTo, pathOf, useAct, useNow } from "./hooks.js";
import { MOST_ATTEMPTS, SCRAPER, STATUSES, isOver, progressOf, shareOf, titleOf } from "./jobmodel.js";
import { Badge, Confirm, ErrorPanel, formatCount, formatSpan, toast } from "./ui.js";

/** What leaves the address when another job is opened. */
export const CLOSED = { tab: null, again: null };
export const NEW = "new";

export const linkOf = (job) => linkTo(CLOSED, pathOf("jobs", job.job_id));

/** How a job does, as one looks for it. */
export function Status({ job }) {
  const [kind, words] = STATUSES[job.status] ?? ["quiet", job.status];
  if (!isOver(job) && job.cancel_requested) return html`<${Badge} kind="warning" title="It stops at its next step">Stopping<//>`;
  if (job.status === "pending" && job.attempts > 0) return html`<${Badge} kind="warning" title=${job.error ?? "A try has failed"}>Tried ${job.attempts} of ${MOST_ATTEMPTS}<//>`;
  return html`<${Badge} kind=${kind}>${words}<//>`;
}

/** A bar while it runs; before and after, words. */
export function Progress({ job }) {
  if (job.status === "running") return html`<span class="progress"><${Bar} job=${job} /><span class="number">${progressOf(job)}</span></span>`;
  if (job.status === "pending") return html`<span class="muted">${placeOf(job) ?? "Waits"}</span>`;
  return html`<span class="muted">${job.status === "completed" ? progressOf(job) : `Ended at ${progressOf(job)}`}</span>`;
}

export const Bar = ({ job }) => html`<progress max="1" value=${shareOf(job)} aria-label="Progress of ${titleOf(job)}"></progress>`;

/** Its place in the queue, in words, where it is known. */
export const placeOf = ({ queue_position: place }) =>
  typeof place === "number" ? (place > 1 ? `No. ${formatCount(place)} in line` : "Next in line") : null;

/** How long it took, or takes by now. */
export function Took({ job }) {
  const from = Date.parse(job.started_at);
  if (Number.isNaN(from)) return html`<span class="muted">–</span>`;
  return html`<span>${job.completed_at ? span(from, Date.parse(job.completed_at)) : html`<${Since} from=${from} />`}</span>`;
}

const Since = ({ from }) => span(from, useNow());
const span = (from, until) => formatSpan(Math.max(Math.round((until - from) / 100) / 10, 0));

export function StopButton({ job, onStop }) {
  if (isOver(job) || job.cancel_requested) return null;
  return html`<button type="button" class="button small" aria-label="Stop ${titleOf(job)}" onClick=${() => onStop(job)}>Stop</button>`;
}

/** Asks once before a job is stopped, and stops it. */
export function StopQuestion({ job, onClose, onDone }) {
  const { run, busy, error } = useAct();
  const stop = () => run(async () => {
    toast(...(await stopped(job)));
    onDone();
  });
  const what = job.service_name === SCRAPER ? "scrape" : "job";
  return html`<${Confirm} title="Stop this ${what}?" destroys=${true} action=${busy ? "Stopping …" : `Stop the ${what}`} onConfirm=${busy ? null : stop} onClose=${onClose}>
    <p class="stopped"><strong><bdi>${titleOf(job)}</bdi></strong></p>
    <p>${job.status === "pending" ? "It has not begun: it ends at once, and nothing of it is done." : "It ends after the step at hand. What it has found by then is kept; it cannot go on later, only begin again."}</p>
    ${error && html`<${ErrorPanel} title="It was not stopped" error=${error} />`}
  <//>`;
}

// One that has ended meanwhile needs no stopping: that is news, not a fault.
async function stopped({ service_name: service, job_id: id }) {
  try {
    return [String((await stopJob(service, id)).message ?? "It is stopped.")];
  } catch (error) {
    if (error.status !== 409) throw error;
    return [error.message, "warning"];
  }
}
