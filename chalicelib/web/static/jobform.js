// The form that has a site scraped.

import { html, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { submitJob } from "./api.js";
import { goTo, pageLink, pathOf, useAct, useAsk } from "./hooks.js";
import { SCRAPER } from "./jobmodel.js";
import { Drawer, ErrorPanel, Field, Skeleton, toast } from "./ui.js";

const BLANK = { url: "", max_pages: "10", timeout_s: "10", priority: "1", same_origin_only: true, respect_robots: true, sitemap: false, redact: false };
const FIELDS = ["url", "max_pages", "timeout_s", "priority", "same_origin_only", "respect_robots", "sitemap", "redact"];
const ADVANCED = ["timeout_s", "respect_robots", "sitemap", "redact"];
const BOUNDS = { max_pages: ["Pages are", 1_000], timeout_s: ["The time-out is", 300], priority: ["The priority is", 10] };

/** `again` is the id of a job to begin from, `onDone(id)` hears of the new one. */
export function NewJob({ again, list, onClose, onDone }) {
  const { data, error, retry } = useAsk(() => (again ? list.look(again) : Promise.resolve({})), again);
  return html`<${Drawer} title="Scrape a site" label="Scrape a site" onClose=${onClose} focus=${true}>
    ${error && html`<${ErrorPanel} title="The job to begin from could not be read" error=${error} onRetry=${retry} />`}
    ${!data && !error && html`<${Skeleton} lines=${6} />`}
    ${data && html`<${Form} first=${draftOf({ ...data.data, priority: data.priority })} onDone=${onDone} />`}
  <//>`;
}

function Form({ first, onDone }) {
  const { run, busy, error, clear } = useAct();
  const [draft, setDraft] = useState(first);
  const [tried, setTried] = useState(false);
  const form = useRef();
  useLayoutEffect(() => form.current.querySelector("[autofocus]").focus(), []);
  const refused = refusalIn(error);
  const faults = { ...(tried && faultsOf(draft)), ...(refused.field && { [refused.field]: error.message }) };
  const change = (name) => ({ target }) => {
    clear();
    setDraft({ ...draft, [name]: target.type === "checkbox" ? target.checked : target.value });
  };
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    const wrong = Object.keys(faultsOf(draft));
    if (wrong.length) requestAnimationFrame(() => form.current.querySelector(`#job-${wrong[0]}`)?.focus());
    else run(async () => queued(await submitJob(SCRAPER, wishOf(draft)), onDone));
  };
  const hurry = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && submit(event);
  const given = (name) => ({ id: `job-${name}`, value: draft[name], onInput: change(name), ...described(name, faults) });
  const tick = (name, words, hint) => html`<${Tick} name=${name} on=${draft[name]} fault=${faults[name]} words=${words} hint=${hint} onChange=${change(name)} />`;
  return html`<form class="publish" ref=${form} onSubmit=${submit} onKeyDown=${hurry} novalidate>
    <${Field} label="Address" hint="where it begins" id="job-url" fault=${faults.url}>
      <input class="mono" type="url" autofocus spellcheck=${false} autocomplete="off" maxlength="2048" placeholder="https://example.com" required ...${given("url")} />
    <//>
    <div class="pair">
      <${Field} label="Pages" hint="at most, 1 – 1,000" id="job-max_pages" fault=${faults.max_pages}><input type="number" min="1" max="1000" step="1" ...${given("max_pages")} /><//>
      <${Field} label="Priority" hint="1 low – 10 high" id="job-priority" fault=${faults.priority}><input type="number" min="1" max="10" step="1" ...${given("priority")} /><//>
    </div>
    ${tick("same_origin_only", "Stay on this site", "Links to other sites are counted, not followed.")}
    <details class="more" open=${ADVANCED.some((name) => faults[name] || draft[name] !== BLANK[name])}><summary>Advanced</summary><div class="publish">
      <${Field} label="Time-out" hint="seconds for each page, 1 – 300" id="job-timeout_s" fault=${faults.timeout_s}><input type="number" min="1" max="300" step="any" ...${given("timeout_s")} /><//>
      ${tick("respect_robots", "Obey robots.txt", "Pages that the site keeps robots from are left out.")}
      ${tick("sitemap", "Begin with the sitemap", "The pages that the site lists itself come first.")}
      ${tick("redact", "Redact personal data", "Email addresses and numbers are kept in part only.")}
    </div></details>
    <footer class="dialog-foot">
      ${error && !refused.field && html`<${ErrorPanel} title="Not submitted" error=${error} />`}
      <button type="submit" class="button primary" disabled=${busy} title="Ctrl+Enter">${busy ? "Submitting …" : "Submit"}</button>
    </footer>
  </form>`;
}

const described = (name, faults) => (faults[name] ? { "aria-invalid": "true", "aria-describedby": `job-${name}-fault` } : {});

const Tick = ({ name, on, fault, words, hint, onChange }) =>
  html`<div class=${fault ? "faulty" : ""}><label class="choice"><input id="job-${name}" type="checkbox" checked=${on} onChange=${onChange} /><span>${words}<span class="muted">${hint}</span></span></label>
    ${fault && html`<p class="fault">${fault}</p>`}</div>`;

function queued({ job_id: id, queue_position: place }, onDone) {
  toast(typeof place === "number" && place > 1 ? `Submitted: number ${place} in the queue` : "Submitted");
  onDone(id);
  goTo(pageLink(pathOf("jobs", id)));
}

/** The server's own rules, so that a fault shows before it is asked. */
function faultsOf(draft) {
  const faults = { url: urlFault(draft.url.trim()) };
  for (const [name, [words, most]] of Object.entries(BOUNDS)) faults[name] = numberFault(draft[name], words, most, name === "timeout_s");
  return Object.fromEntries(Object.entries(faults).filter(([, fault]) => fault));
}

function urlFault(url) {
  if (!url) return "An address is needed, such as https://example.com.";
  if (!/^https?:\/\//i.test(url)) return "An address begins with http:// or https://.";
  return URL.canParse(url) ? null : "This is no address.";
}

function numberFault(text, words, most, inParts) {
  const value = Number(text);
  const isOne = String(text).trim() !== "" && (inParts ? Number.isFinite(value) : Number.isInteger(value));
  return isOne && value >= 1 && value <= most ? null : `${words} a ${inParts ? "" : "whole "}number from 1 to ${most.toLocaleString("en-GB")}.`;
}

// The server says in words what is wrong: the first field that it names is meant.
function refusalIn(error) {
  if (error?.status !== 400) return {};
  const places = FIELDS.map((field) => [field, error.message.search(new RegExp(`\\b${field}\\b`, "i"))]).filter(([, at]) => at >= 0);
  return { field: error.details?.field ?? places.sort((a, b) => a[1] - b[1])[0]?.[0] };
}

// What is as the server would have it is not named.
function wishOf(draft) {
  const numbers = Object.fromEntries(Object.keys(BOUNDS).map((name) => [name, Number(draft[name])]));
  const others = Object.fromEntries(["respect_robots", "sitemap", "redact"].filter((name) => draft[name] !== BLANK[name]).map((name) => [name, draft[name]]));
  return { url: draft.url.trim(), same_origin_only: draft.same_origin_only, ...numbers, ...others };
}

// Of an earlier job only what the form knows.
function draftOf(data) {
  const draft = { ...BLANK };
  for (const [name, blank] of Object.entries(BLANK)) {
    const given = data?.[name];
    if (typeof blank === "boolean" ? typeof given === "boolean" : ["string", "number"].includes(typeof given)) draft[name] = typeof blank === "boolean" ? given : String(given);
  }
  return draft;
}
