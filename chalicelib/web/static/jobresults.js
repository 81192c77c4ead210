// What a job has found: page by page, to be searched, copied and taken along.

import { html, useMemo, useRef, useState } from "./preact-htm.js";
import { getJobFile, getJobResults, resultsAt } from "./api.js";
import { ROOT, useAct, useHotkeys, usePages, useSoon } from "./hooks.js";
import { SCRAPER, isOver } from "./jobmodel.js";
import { Chips, Group } from "./jobparts.js";
import { JsonView } from "./json.js";
import { CopyButton, ErrorPanel, OutLink, Skeleton, formatCount, plural, saveFile, toast } from "./ui.js";

const MOVING_MS = 5_000;
const OVER_MS = 120_000;
const SOON_MS = 1_000;
const WEB = ["https:", "http:"];
const REDACTED = { mask: "masked", hash: "hashed" };
const FORMATS = { csv: ["CSV", "text/csv"], jsonl: ["JSONL", "application/jsonl"] };

/** Asked for again while the job goes on, a moment after it has moved. */
export function Results({ job }) {
  const { service_name: service, job_id: id } = job;
  const list = usePages((cursor) => getJobResults(service, id, cursor), rowsIn, { ms: isOver(job) ? OVER_MS : MOVING_MS });
  useSoon(`${job.status} ${job.progress}`, list.refresh, SOON_MS);
  if (list.error && !list.rows) return html`<${ErrorPanel} title="The results could not be read" error=${list.error} onRetry=${list.refresh} />`;
  if (!list.rows) return html`<${Skeleton} lines=${6} />`;
  if (!list.rows.length) return html`<p class="muted">${nothingOf(job)}</p>`;
  return html`<div class="results">
    ${list.error && html`<${ErrorPanel} title="What is shown may be old" error=${list.error} onRetry=${list.refresh} />`}
    ${service === SCRAPER ? html`<${Pages} list=${list} job=${job} />` : html`<${Files} job=${job} /><${JsonView} value=${list.rows} label="the results" />`}
    ${list.more && html`<p class="foot"><button type="button" class="button" disabled=${list.busy} onClick=${list.loadMore}>${list.busy ? "Loading …" : "Load more"}</button></p>`}
  </div>`;
}

// Each service may call its rows by a name of its own.
const rowsIn = (page) => page.results_by_url ?? page.results ?? Object.values(page).find((value) => value?.[0]?.key !== undefined) ?? [];

function nothingOf({ status, attempts }) {
  if (status === "pending" && !attempts) return "It has not begun.";
  return !isOver({ status }) ? "Nothing yet: what it finds appears here." : "It has found nothing.";
}

function Pages({ list, job }) {
  const [query, setQuery] = useState("");
  const field = useRef();
  useHotkeys({ "/": () => field.current.select() });
  const { found, groups, emails, phones } = useMemo(() => sorted(list.rows, query), [list.rows, query]);
  const parts = GROUPS.filter(([id]) => groups[id].length);
  const robots = job.result?.skipped_by_robots;
  const redacted = REDACTED[job.data?.redact];
  return html`<div class="results">
    <div class="results-tools">
      <input ref=${field} type="search" aria-label="Search in the results" placeholder="Address, title, email, number …" title="Search in the results (/)" value=${query} onInput=${(event) => setQuery(event.target.value)} />
      <${Files} job=${job} />
    </div>
    <p class="marks">${emails.length > 0 && html`<${CopyAll} texts=${emails} noun="email" />`}${phones.length > 0 && html`<${CopyAll} texts=${phones} noun="number" />`}
      <span class="muted" aria-live="polite">${query && `${plural(found, "page")} of the ${formatCount(list.rows.length)} that ${list.more ? "are loaded" : "there are"}`}</span></p>
    <div>${parts.map(([id, name, Row], index) => html`<${Group} key=${id} name=${name} count=${groups[id].length} open=${index === 0} searching=${Boolean(query)}>
      <ul class="found ${id}">${groups[id].map((row) => html`<${Row} key=${row.key} row=${row} />`)}</ul><//>`)}</div>
    ${redacted && html`<p class="muted">Emails and phones are ${redacted}: as they were, they are kept nowhere.</p>`}
    ${robots > 0 && html`<p class="muted">${plural(robots, "page")} left out because the site asks robots for it.</p>`}
  </div>`;
}

const GROUPS = [["contacts", "With contacts", Found], ["bare", "Without contacts", Found], ["unread", "Not read", Unread]];

const CopyAll = ({ texts, noun }) => html`<${CopyButton} text=${texts.join("\n")}>Copy ${plural(texts.length, noun)}<//>`;

// By what there is to see of each page.
function sorted(rows, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter((row) => holds(row, words));
  const groups = { contacts: [], bare: [], unread: [] };
  for (const row of found) groups[row.error ? "unread" : row.emails.length + row.phones.length ? "contacts" : "bare"].push(row);
  const all = (name) => [...new Set(found.flatMap((row) => row[name]))].sort();
  return { found: found.length, groups, emails: all("emails"), phones: all("phones") };
}

function holds(row, words) {
  if (!words.length) return true;
  const text = [row.url, row.title, row.description, row.error, ...row.emails, ...row.phones].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

const Address = ({ url }) => html`<p class="found-url"><${OutLink} url=${url} schemes=${WEB}><bdi>${url}</bdi><//></p>`;

function Found({ row }) {
  const { url, title, description, status, depth, emails, phones, links_count: links } = row;
  return html`<li>
    ${title && html`<p class="found-title"><bdi>${title}</bdi></p>`}
    <${Address} url=${url} />
    <p class="muted">HTTP ${status} · ${depthOf(depth)} · ${plural(links ?? 0, "link")}</p>
    ${description && html`<p class="found-text" title=${description}><bdi>${description}</bdi></p>`}
    ${emails.length > 0 && html`<${Chips} texts=${emails} label="Email addresses" />`}
    ${phones.length > 0 && html`<${Chips} texts=${phones} label="Telephone numbers" />`}
    ${row.json_ld?.length > 0 && html`<${Folded} name="JSON-LD" value=${row.json_ld} count=${row.json_ld.length} />`}
    ${!isEmpty(row.open_graph) && html`<${Folded} name="OpenGraph" value=${row.open_graph} count=${Object.keys(row.open_graph).length} />`}
  </li>`;
}

const depthOf = (depth) => (depth ? `depth ${formatCount(depth)}` : "start");
const isEmpty = (value) => !Object.keys(value ?? {}).length;

// Most of what fails says itself with which status it did.
function Unread({ row: { url, status, error } }) {
  return html`<li><${Address} url=${url} /><p class="muted">${status && !error.includes(status) && `HTTP ${status}: `}<bdi>${error}</bdi></p></li>`;
}

/** What pages say of themselves for machines: made when somebody looks. */
function Folded({ name, value, count }) {
  const [open, setOpen] = useState(false);
  return html`<details class="more folded" open=${open} onToggle=${(event) => setOpen(event.target.open)}><summary>${name} <span class="tally">${formatCount(count)}</span></summary>
    ${open && html`<${JsonView} value=${value} label=${name} />`}</details>`;
}

const Files = ({ job }) => html`<p class="files">${Object.keys(FORMATS).map((format) => html`<${FileLink} job=${job} format=${format} />`)}</p>`;

// A link can bring no key, and the first page alone: where there is more to do, it is done here.
function FileLink({ job: { service_name: service, job_id: id }, format }) {
  const { run, busy } = useAct();
  const [name, media] = FORMATS[format];
  const file = `${service}-${id}.${format}`;
  const save = (event) => {
    event.preventDefault();
    run(() => getJobFile(service, id, format).then(
      (text) => saveFile(new Blob([text], { type: media }), file),
      (error) => toast(`The file could not be read: ${error.message}`, "failed"),
    ));
  };
  return html`<a class="button small" href=${ROOT + resultsAt(service, id, { format })} download=${file} aria-busy=${busy ? "true" : null} onClick=${save}>${name}</a>`;
}
