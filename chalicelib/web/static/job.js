// One job in a drawer: what was asked, how far it is, and what came of it.

import { html } from "./preact-htm.js";
import { go, linkTo, pathOf, usePoll } from "./hooks.js";
import { Changes, changesIn } from "./jobchanges.js";
import { SCRAPER, adviceFor, everyOf, factsOf, isOver, isPaused, isScheduled, pagesOf, pauseOf, progressOf, titleOf } from "./jobmodel.js";
import { Bar, CLOSED, JobLink, NEW, Soon, Status, StopButton, Took, placeOf } from "./jobparts.js";
import { Results } from "./jobresults.js";
import { JsonView } from "./json.js";
import { Badge, CopyButton, Drawer, ErrorPanel, Facts, Guard, Icon, Id, OutLink, Skeleton, Tabs, Time, formatCount } from "./ui.js";

// It is read again whenever it begins or ends: the length of the wait changes then.
const WAITS_MS = { pending: 4_000, running: 10_000 };
const OVER_MS = 120_000;
const WEB = ["https:", "http:"];

/** `list` knows it as the connection tells it. */
export function JobDrawer({ id, list, tab, focus, onClose, onStop }) {
  const known = list.known.get(id);
  const poll = usePoll(() => list.look(id), WAITS_MS[known?.status] ?? OVER_MS);
  const job = known ?? poll.data;
  const title = job ? html`<bdi>${titleOf(job)}</bdi>` : "Job";
  return html`<${Drawer} title=${title} label="Job ${id}" onClose=${onClose} focus=${focus}>
    ${poll.error && html`<${ErrorPanel} title="The job could not be read" error=${poll.error} onRetry=${poll.refresh} />`}
    ${!job && !poll.error && html`<${Skeleton} lines=${8} />`}
    ${job && html`<div class="job">
      <${Guard}><${Head} job=${job} onStop=${onStop} /><//>
      <div class="job-now"><${Guard}><${Now} job=${job} /><//></div>
      <${Guard}><${About} job=${job} /><//>
      <${Guard}><${Parts} job=${job} whole=${Boolean(poll.data)} tab=${tab} /><//>
    </div>`}
  <//>`;
}

const Head = ({ job, onStop }) =>
  html`<p class="drawer-sub"><${Id} value=${job.job_id} keep=${8} /><span class="muted"><bdi>${job.service_name}</bdi></span></p>
    <div class="job-line"><p class="marks"><${Status} job=${job} /><${Badge} sign="↑" title="1 to 10, the higher first">Priority ${job.priority}<//></p>
      ${isOver(job) ? html`<${Again} job=${job} />` : html`<${StopButton} job=${job} onStop=${onStop} />`}</div>`;

// The same once more, to be looked at and changed first.
const Again = ({ job }) =>
  job.service_name === SCRAPER && job.data && html`<a class="button small" href=${linkTo({ ...CLOSED, again: job.job_id }, pathOf("jobs", NEW))}>Submit again …</a>`;

/** What can be said of it now: how far it is, or why it ended as it did. */
function Now({ job }) {
  if (job.status === "running") return html`<${Moving} job=${job} />`;
  if (job.status === "pending") return html`<${Waiting} job=${job} />`;
  if (job.status === "failed") return html`<${Fault} job=${job} />`;
  if (job.status === "cancelled") return html`<p class="muted">It was stopped at ${progressOf(job)}. What was found by then is kept.</p>`;
  return pagesOf(job) === 0 ? html`<p class="muted">No page was read: why stands under Results.</p>` : null;
}

function Moving({ job }) {
  const facts = factsOf(job);
  return html`<div class="job-progress"><${Bar} job=${job} /><span class="number">${progressOf(job)}</span></div>
    ${facts.length > 0 && html`<p class="muted note" title="In line are addresses that were met, and not asked for yet">${facts.join(", ")}</p>`}
    ${isPaused(job) && html`<p class="note">${pauseOf(job)}. <span class="muted"><${Soon} word="It goes on" at=${job.next_try_at} />.</span></p>`}`;
}

function Waiting({ job }) {
  if (isScheduled(job)) return html`<p><${Soon} word="Begins" at=${job.next_try_at} />.</p>`;
  const next = job.next_try_at && html`; the next try is <${Time} value=${job.next_try_at} />`;
  return html`<p class="muted">${placeOf(job) ?? "It waits its turn"}${next}.</p>
    ${job.error && html`<div class="notice"><p><strong>The last try failed.</strong> <bdi>${job.error}</bdi></p></div>`}`;
}

const Fault = ({ job }) =>
  html`<section class="error-panel" aria-label="Why it failed"><${Icon} name="warning" />
    <div><p><strong>It failed${job.attempts > 1 ? ` after ${formatCount(job.attempts)} tries` : ""}.</strong></p>
      <p><bdi>${job.error ?? "Nobody has said why."}</bdi></p><p class="muted">${adviceFor(job)}</p></div></section>`;

function About({ job }) {
  const when = [["submitted", job.created_at], ["began", job.started_at], ["ended", job.completed_at]].filter(([, at]) => at);
  return html`<${Facts} facts=${[
    ["by", job.submitted_by && html`<bdi>${job.submitted_by}</bdi>`],
    ["when", when.map(([word, at], index) => html`${index > 0 && ", "}${word} <${Time} value=${at} />`)],
    ["took", job.started_at && html`<${Took} job=${job} />`],
    ["worker", job.assigned_node && html`<${Id} value=${job.assigned_node} keep=${10} />`],
    ["repeats", job.repeat_every_s && everyOf(job.repeat_every_s)],
    ["the one before", job.previous_job_id && html`<${JobLink} id=${job.previous_job_id} />`],
    ["the next one", job.next_job_id && html`<${JobLink} id=${job.next_job_id} />`],
    ["tries", job.attempts > 1 && formatCount(job.attempts)],
  ]} />`;
}

const tallied = (name, count) => (count === null ? name : html`${name} <span class="tally">${formatCount(count)}</span>`);

function Parts({ job, whole, tab }) {
  const changes = changesIn(job);
  const tabs = [
    { id: "results", name: tallied("Results", pagesOf(job)), body: () => html`<${Results} job=${job} />` },
    ...(changes === null ? [] : [{ id: "changes", name: tallied("Changes", changes), body: () => html`<${Changes} job=${job} />` }]),
    { id: "asked", name: "Asked for", body: () => html`<${Asked} data=${job.data} whole=${whole} />` },
    { id: "json", name: "JSON", body: () => html`<${Result} job=${job} whole=${whole} />` },
  ];
  const chosen = tabs.some(({ id }) => id === tab) ? tab : "results";
  const choose = (id) => go({ tab: id === "results" ? null : id }, { replace: true });
  const guarded = tabs.map((one) => ({ ...one, body: () => html`<${Guard} key=${one.id}>${one.body()}<//>` }));
  return html`<${Tabs} tabs=${guarded} chosen=${chosen} onChoose=${choose} label="Parts of the job" />`;
}

function Asked({ data, whole }) {
  if (!data) return whole ? html`<p class="muted">Nothing is known of what was asked.</p>` : html`<${Skeleton} lines=${4} />`;
  return html`<dl class="facts">${Object.entries(data).filter(([, value]) => value !== null).map(([name, value]) => html`<${Given} name=${name} value=${value} />`)}</dl>`;
}

const GIVEN = {
  url: (text) => html`<${OutLink} url=${text} schemes=${WEB}><bdi>${text}</bdi><//>`,
  compare_with: (text) => html`<${JobLink} id=${text} />`,
};

function Given({ name, value }) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const shown = Object.hasOwn(GIVEN, name) ? GIVEN[name](text) : html`<bdi>${text}</bdi>`;
  return html`<div><dt>${name}</dt><dd><span>${shown}</span><${CopyButton} text=${text} label="Copy ${name}" /></dd></div>`;
}

function Result({ job, whole }) {
  if (job.result) {
    return html`${job.result.pii_truncated && html`<p class="muted note">Contacts of some pages are left out here for their size: Results has them all.</p>`}
      <${JsonView} key=${job.job_id} value=${job.result} label="the result" />`;
  }
  if (!whole) return html`<${Skeleton} lines=${6} />`;
  return html`<p class="muted">${isOver(job) ? "It has left no result." : "The result comes when it ends; what it finds on the way is under Results."}</p>`;
}
