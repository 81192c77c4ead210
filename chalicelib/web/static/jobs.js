// The page `/jobs`: what is being done, what waits, how it ended, and what came of it.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { escaping, go, linkTo, pathOf, useDrawer, useHotkeys, useSoon } from "./hooks.js";
import { JobDrawer } from "./job.js";
import { Figures, Workers, useFigures } from "./jobfigures.js";
import { ANY, Filters } from "./jobfilters.js";
import { NewJob } from "./jobform.js";
import { useJobs } from "./joblist.js";
import { isOver, keyOf, progressOf, servicesIn, titleOf, wished } from "./jobmodel.js";
import { CLOSED, NEW, Progress, Status, StopButton, StopQuestion, Took, linkOf } from "./jobparts.js";
import { ListPanel, useCalm } from "./list.js";
import { useSource } from "./source.js";
import { Age, EmptyState, Guard, Icon, PageTitle, plural, toast } from "./ui.js";

const FIGURES_MS = 1_000;
const LONGEST = 100;
const CALM = { keyOf, at: (job) => job.created_at, isOther: () => false };

export default function Jobs({ place: { id, query }, source, config }) {
  const wish = wished(query);
  useSource(source, config, null);
  const list = useJobs(wish, config, (told) => source.change({ told }));
  const services = servicesIn(list);
  const figures = useFigures(wish.service, services);
  useSoon(list.changes, figures.refresh, FIGURES_MS);
  const follow = useOwn(list);
  const calm = useCalm(list, CALM);
  const [stopping, setStopping] = useState(null);
  const drawer = useDrawer(CLOSED, "jobs");
  const make = () => drawer.open({}, { withKey: true, id: NEW });
  useHotkeys({ n: make, Escape: escaping(id, drawer.close) });
  const action = html`<a class="button primary" href=${linkTo(CLOSED, pathOf("jobs", NEW))} title="n" onClick=${(event) => (event.preventDefault(), make())}><${Icon} name="plus" />Scrape a site</a>`;
  const done = () => {
    list.look(stopping.job_id).catch(() => list.reload());
    setStopping(null);
  };
  return html`<main id="main" class="main jobs-page" tabindex="-1">
      <${PageTitle} title="Jobs" actions=${action}>What is being done, what waits its turn, and what came of it.<//>
      <${Guard}><${Figures} figures=${figures} /><//>
      <${Guard}><${ListPanel} label="Jobs" noun="job" list=${asList(list, calm.rows)} columns=${columnsOf(setStopping)} keyOf=${keyOf} opened=${id}
        tools=${html`<${Filters} wish=${wish} services=${services} opened=${Boolean(id)} />`}
        empty=${wish.status || wish.service ? html`<${NoneFit} />` : html`<${None} action=${action} />`}
        classOf=${(job) => list.isFresh(job) && "fresh"} onReading=${calm.onReading}
        waiting=${calm.waiting > 0 && html`<button type="button" class="pill" onClick=${calm.release}><${Icon} name="up" />${plural(calm.waiting, "change")}</button>`}
        onOpen=${(job, { byKey }) => drawer.open({}, { withKey: byKey, id: job.job_id })}
        onMove=${(job) => id && id !== NEW && go(CLOSED, { replace: true, path: pathOf("jobs", job.job_id) })} /><//>
      <${Guard}><${Workers} /><//>
    </main>
    ${id === NEW && html`<${Guard} key="new"><${NewJob} key=${query.again?.[0]} again=${query.again?.[0]} list=${list} onClose=${drawer.close} onDone=${follow} /><//>`}
    ${id && id !== NEW && html`<${Guard} key=${id}><${JobDrawer} key=${id} id=${id} list=${list} tab=${query.tab?.[0]} focus=${drawer.byKey} onClose=${drawer.close} onStop=${setStopping} /><//>`}
    ${stopping && html`<${StopQuestion} job=${list.known.get(stopping.job_id) ?? stopping} onClose=${() => setStopping(null)} onDone=${done} />`}`;
}

// What ListPanel takes of a list.
const asList = (list, rows) => ({ rows, error: list.error, refresh: list.refresh, more: list.more, busy: list.busy, loadMore: list.loadMore });

// Says how those jobs ended that were submitted here; those of others are in the table.
function useOwn(list) {
  const own = useRef(new Set());
  useEffect(() => {
    for (const id of own.current) {
      const job = list.known.get(id);
      if (!job || !isOver(job)) continue;
      own.current.delete(id);
      toast(...endOf(job));
    }
  });
  return (id) => {
    own.current.add(id);
    list.reload();
  };
}

const ENDS = { completed: ["Completed", "ok"], failed: ["Failed", "failed"], cancelled: ["Stopped", "warning"] };

function endOf(job) {
  const [word, kind] = ENDS[job.status] ?? [job.status, "quiet"];
  return [`${word}: ${titleOf(job).slice(0, LONGEST)}${job.status === "completed" ? `, ${progressOf(job)}` : ""}`, kind];
}

const columnsOf = (onStop) => [
  { name: "Status", class: "col-job-status", cell: (job) => html`<${Status} job=${job} />` },
  { name: "Job", class: "col-title", cell: (job) => html`<a href=${linkOf(job)} tabindex="-1" title=${titleOf(job)}><bdi>${titleOf(job)}</bdi></a>` },
  { name: "Progress", class: "col-share", cell: (job) => html`<${Progress} job=${job} />` },
  { name: "Service", class: "col-service", cell: (job) => html`<bdi>${job.service_name}</bdi>` },
  { name: "Priority", class: "col-priority number", hint: "1 to 10, the higher first", cell: (job) => job.priority },
  { name: "By", class: "col-by", hint: "Who submitted it", cell: (job) => html`<bdi title=${job.submitted_by}>${job.submitted_by}</bdi>` },
  { name: "Took", class: "col-took number", cell: (job) => html`<${Took} job=${job} />` },
  { name: "Submitted", class: "col-age number", cell: (job) => html`<${Age} value=${job.created_at} />` },
  { name: "Stop", class: "col-stop", head: html`<span class="offscreen">Stop</span>`, cell: (job) => html`<${StopButton} job=${job} onStop=${onStop} />` },
];

const None = ({ action }) =>
  html`<${EmptyState} title="No job yet.">
    <p>A job is work that takes a while. A scrape reads the pages of a site and keeps the email addresses and telephone numbers that it finds there.</p>
    <p class="actions">${action}</p>
  <//>`;

const NoneFit = () =>
  html`<${EmptyState} title="No job fits this filter.">
    <p>Those that will fit appear here as they happen.</p>
    <p class="actions"><button type="button" class="button" onClick=${() => go(ANY)}>Clear the filter</button></p>
  <//>`;
