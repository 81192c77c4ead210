// How jobs fare in all, and who does them.

import { html, useEffect, useRef } from "./preact-htm.js";
import { getJobStats, getWorkers } from "./api.js";
import { linkTo, usePoll } from "./hooks.js";
import { workerOf } from "./jobmodel.js";
import { JobLink } from "./jobparts.js";
import { SmallTable } from "./list.js";
import { Age, Badge, ErrorPanel, Id, formatCount } from "./ui.js";

const POLL_MS = 15_000;
const WORKERS_MS = 5_000;
const MOST_ROWS = 4;

/** The figures of one service, or of all together, asked for now and then: { data, error, refresh }. */
export function useFigures(service, all) {
  const services = service ? [service] : all;
  const key = services.join();
  const poll = usePoll(async () => ({ service, found: summed(await Promise.all(services.map(getJobStats))) }), POLL_MS);
  const asked = useRef(key);
  useEffect(() => {
    if (asked.current === key) return;
    asked.current = key;
    poll.refresh();
  }, [key]);
  return { ...poll, data: poll.data?.service === service ? poll.data.found : null };
}

// A rate is of what has ended: without that there is none.
function summed(answers) {
  const sum = (name) => answers.reduce((total, { stats }) => total + (stats[name] ?? 0), 0);
  const [good, bad, active] = [sum("successful_jobs"), sum("failed_jobs"), sum("active_jobs")];
  const queue = answers.reduce((total, one) => total + (one.queue_size ?? 0), 0);
  return { total: sum("total_jobs"), active, running: Math.max(active - queue, 0), queue, good, bad, rate: good + bad ? good / (good + bad) : null };
}

export function Figures({ figures: { data, error, refresh } }) {
  if (!data && error) return html`<${ErrorPanel} title="The figures could not be read" error=${error} onRetry=${refresh} />`;
  const tile = (name, value, more, hint) => html`<div class="job-tile"><dt title=${hint}>${name}</dt><dd>${data ? value(data) : "–"} <small>${data && more(data)}</small></dd></div>`;
  return html`<dl class="panel job-tiles" aria-label="Figures" aria-busy=${data ? null : "true"}>
    ${tile("Jobs", ({ total }) => formatCount(total), () => "in all")}
    ${tile("Active", ({ active }) => formatCount(active), ({ running }) => `${formatCount(running)} running`, "Jobs that have not ended")}
    ${tile("Success rate", ({ rate }) => percent(rate), ({ bad }) => bad > 0 && html`<a href=${linkTo({ status: "failed" })}>${formatCount(bad)} failed</a>`, "Of the jobs that completed or failed")}
    ${tile("Queue", ({ queue }) => formatCount(queue), () => "waiting", "Jobs that have not begun")}
  </dl>`;
}

const percent = (rate) => (rate === null ? "–" : `${Math.floor(1_000 * rate) / 10} %`);

const STATES = { busy: ["running", "Busy"], running: ["running", "Busy"], idle: ["ok", "Idle"], ready: ["ok", "Ready"], ended: ["quiet", "Ended"], lost: ["failed", "Lost"] };

/** Who does jobs now, or did a while ago. */
export function Workers() {
  const { data, error, refresh } = usePoll(getWorkers, WORKERS_MS);
  if (!data && error) return html`<${ErrorPanel} title="The workers could not be read" error=${error} onRetry=${refresh} />`;
  if (!data) return null;
  if (!data.workers.length) return html`<p class="muted">No worker was heard of lately: one begins when a job is submitted.</p>`;
  return html`<${SmallTable} title="Workers" hint="Who does jobs, or did a while ago." rows=${data.workers.map(workerOf)} most=${MOST_ROWS}
    columns=${COLUMNS} keyOf=${(row) => `${row.node} ${row.job_id}`} classOf=${() => "plain"} onOpen=${() => {}} />`;
}

const COLUMNS = [
  { name: "State", class: "col-state", cell: ({ state }) => html`<${WorkerState} state=${state} />` },
  { name: "Node", class: "col-node", cell: ({ node }) => html`<${Id} value=${node} keep=${8} />` },
  { name: "Service", class: "col-service", cell: ({ service }) => html`<bdi>${service ?? "–"}</bdi>` },
  { name: "Can", class: "col-service col-extra", hint: "What it is able to do", cell: ({ capability }) => html`<bdi>${capability || "–"}</bdi>` },
  { name: "Job", class: "col-job", cell: ({ job_id: job }) => (job ? html`<${JobLink} id=${job} />` : html`<span class="muted">–</span>`) },
  { name: "Heard", class: "col-age number", cell: ({ seen_at: at }) => html`<${Age} value=${at} />` },
];

function WorkerState({ state }) {
  const [kind, words] = STATES[state] ?? ["quiet", state];
  return html`<${Badge} kind=${kind}>${words}<//>`;
}
