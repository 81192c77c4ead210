// Jobs in the small: the badges, names and bars that the table and the drawer share.

import { html, useState } from "./preact-htm.js";
import { stopJob } from "./api.js";
import { linkTo, pathOf, useAct, useNow } from "./hooks.js";
import { MOST_ATTEMPTS, SCRAPER, STATUSES, everyOf, isOver, isPaused, isScheduled, pauseOf, progressOf, shareOf, titleOf } from "./jobmodel.js";
import { Badge, Confirm, CopyChip, ErrorPanel, Time, exactTime, formatCount, formatSpan, plural, toast } from "./ui.js";

const MOST_CHIPS = 12;

/** What leaves the address when another job is opened. */
export const CLOSED = { tab: null, again: null };
export const NEW = "new";

export const linkOf = (job) => linkTo(CLOSED, pathOf("jobs", job.job_id));

/** Leads to a job of which the id alone is known. */
export const JobLink = ({ id }) => html`<a href=${linkOf({ job_id: id })} title=${id}><code>${id.length > 17 ? `${id.slice(0, 8)}…${id.slice(-6)}` : id}</code></a>`;

/** How a job does, as one looks for it. */
export function Status({ job }) {
  const [kind, words] = STATUSES[job.status] ?? ["quiet", job.status];
  if (!isOver(job) && job.cancel_requested) return html`<${Badge} kind="warning" title="It stops at its next step">Stopping<//>`;
  if (isScheduled(job)) return html`<${Badge} title=${`Its turn is at ${exactTime(Date.parse(job.next_try_at))}`}>Scheduled<//>`;
  if (isPaused(job)) return html`<${Badge} kind="running" sign="…" title=${pauseOf(job)}>Waiting<//>`;
  if (job.status === "pending" && job.attempts > 0) return html`<${Badge} kind="warning" title=${job.error ?? "A try has failed"}>Tried ${job.attempts} of ${MOST_ATTEMPTS}<//>`;
  return html`<${Badge} kind=${kind}>${words}<//>`;
}

/** A bar while it runs; before and after, words. */
export function Progress({ job }) {
  if (isPaused(job)) return html`<span class="muted" title="${pauseOf(job)}; ${progressOf(job)}"><${Soon} word="Goes on" at=${job.next_try_at} /></span>`;
  if (isScheduled(job)) return html`<span class="muted"><${Soon} word="Begins" at=${job.next_try_at} /></span>`;
  if (job.status === "running") return html`<span class="progress"><${Bar} job=${job} /><span class="number">${progressOf(job)}</span></span>`;
  if (job.status === "pending" && job.next_try_at) return html`<span class="muted"><${Soon} word="Next try" at=${job.next_try_at} /></span>`;
  if (job.status === "pending") return html`<span class="muted">${placeOf(job) ?? "Waits"}</span>`;
  return html`<span class="muted">${job.status === "completed" ? progressOf(job) : `Ended at ${progressOf(job)}`}</span>`;
}

/** When it begins or goes on; what is due may take a moment. */
export function Soon({ word, at }) {
  return useNow() < Date.parse(at) - 1_000 ? html`${word} <${Time} value=${at} />` : `${word} any moment`;
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
    ${job.repeat_every_s && html`<p>It repeats ${everyOf(job.repeat_every_s)}: stopping it ends that too, so none comes after it.</p>`}
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

/** A part of a list, with how many it has; once open it stays so. */
export function Group({ name, count, open, searching, children }) {
  const [first] = useState(open);
  return html`<details class="more group" open=${first || searching}><summary>${name} <span class="tally">${formatCount(count)}</span></summary>${children}</details>`;
}

/** Short texts that copy themselves. */
export function Chips({ texts, label }) {
  const [all, showAll] = useState(false);
  const shown = all ? texts : texts.slice(0, MOST_CHIPS);
  return html`<ul class="chips" aria-label=${label}>${shown.map((text) => html`<li key=${text}><${CopyChip} text=${text} /></li>`)}
    ${shown.length < texts.length && html`<li><button type="button" class="button quiet small" onClick=${() => showAll(true)}>and ${plural(texts.length - shown.length, "other")}</button></li>`}</ul>`;
}
