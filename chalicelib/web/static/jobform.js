// The form that has a site scraped.

import { html, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { submitJob } from "./api.js";
import { goTo, pageLink, pathOf, useAct, useAsk } from "./hooks.js";
import { SCRAPER, everyOf, titleOf } from "./jobmodel.js";
import { Drawer, ErrorPanel, Field, Skeleton, toast } from "./ui.js";

const BLANK = {
  url: "", max_pages: "10", priority: "1", same_origin_only: true, timeout_s: "10", delay_s: "0", mode: "crawl", redact: "none",
  retention_days: "", repeat_every_s: "", compare_with: "",
};
const FIELDS = Object.keys(BLANK);
const ADVANCED = FIELDS.slice(FIELDS.indexOf("timeout_s"));
// Of each number the least, the most, and what is said where it is none of these.
const NUMBERS = {
  max_pages: [1, 1_000, "Pages are a whole number from 1 to 1,000."],
  priority: [1, 10, "The priority is a whole number from 1 to 10."],
  timeout_s: [1, 300, "The time-out is a number from 1 to 300."],
  delay_s: [0, 60, "The pause is a number from 0 to 60."],
  retention_days: [1 / 24, 365, "It is kept for 0.042 (an hour) to 365 days, or for a week where this is empty."],
};
const WHOLE = ["max_pages", "priority"];
const MODES = [["crawl", "Links"], ["sitemap", "The site's sitemaps"]];
const REDACTIONS = [["none", "Keep"], ["mask", "Mask: a***@…"], ["hash", "Hash: to compare"]];
const REPEATS = [["", "Never"], ["3600", "Hourly"], ["86400", "Daily"], ["604800", "Weekly"]];
const LONGEST_ID = 64;
const MOST_OTHERS = 50;

/** `again` is the id of a job to begin from, `onDone(id)` hears of the new one. */
export function NewJob({ again, list, onClose, onDone }) {
  const { data, error, retry } = useAsk(() => (again ? list.look(again) : Promise.resolve({})), again);
  return html`<${Drawer} title="Scrape a site" label="Scrape a site" onClose=${onClose} focus=${true}>
    ${error && html`<${ErrorPanel} title="The job to begin from could not be read" error=${error} onRetry=${retry} />`}
    ${!data && !error && html`<${Skeleton} lines=${6} />`}
    ${data && html`<${Form} first=${draftOf({ ...data.data, priority: data.priority, repeat_every_s: data.repeat_every_s })} others=${othersIn(list, again)} onDone=${onDone} />`}
  <//>`;
}

// What a scrape may be compared with, as far as it is known here: the one before it first.
function othersIn({ known }, again) {
  const found = [...known.values()].filter((job) => job.service_name === SCRAPER && job.status === "completed");
  return found.sort((a, b) => (b.job_id === again) - (a.job_id === again)).slice(0, MOST_OTHERS);
}

function Form({ first, others, onDone }) {
  const { run, busy, error, clear } = useAct();
  const [draft, setDraft] = useState(first);
  const [tried, setTried] = useState(false);
  const [more, setMore] = useState(ADVANCED.some((name) => first[name] !== BLANK[name]));
  const form = useRef();
  useLayoutEffect(() => form.current.querySelector("[autofocus]").focus(), []);
  const refused = refusalIn(error);
  const faults = { ...(tried && faultsOf(draft)), ...(refused.field && { [refused.field]: error.message }) };
  // A fault out of sight would be none.
  useLayoutEffect(() => void (ADVANCED.some((name) => faults[name]) && setMore(true)), [Object.keys(faults).join()]);
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
  const field = (name, label, hint, input) => html`<${Field} label=${label} hint=${hint} id="job-${name}" fault=${faults[name]}>${input}<//>`;
  const number = (name, label, hint, more) => field(name, label, hint, html`<input type="number" min=${NUMBERS[name][0]} max=${NUMBERS[name][1]} step=${WHOLE.includes(name) ? 1 : "any"} ...${given(name)} ...${more} />`);
  const select = (name, label, options) => field(name, label, null, html`<select ...${given(name)}>${options.map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select>`);
  return html`<form class="publish" ref=${form} onSubmit=${submit} onKeyDown=${hurry} novalidate>
    ${field("url", "Address", "where it begins", html`<input class="mono" type="url" autofocus spellcheck=${false} autocomplete="off" maxlength="2048" placeholder="https://example.com" required ...${given("url")} />`)}
    <div class="pair">${number("max_pages", "Pages", "at most, 1 – 1,000")}${number("priority", "Priority", "1 low – 10 high")}</div>
    <${Tick} name="same_origin_only" on=${draft.same_origin_only} fault=${faults.same_origin_only} words="Stay on this site" hint="Links to other sites are counted, not followed." onChange=${change("same_origin_only")} />
    <details class="more" open=${more} onToggle=${(event) => setMore(event.target.open)}><summary>Advanced</summary><div class="publish">
      <div class="pair">${select("mode", "Pages come from", MODES)}${select("redact", "Emails and phones", REDACTIONS)}</div>
      <div class="pair">${number("timeout_s", "Time-out", "seconds a page, 1 – 300")}${number("delay_s", "Pause between requests", "seconds")}</div>
      <div class="pair">${select("repeat_every_s", "Repeat", repeatsWith(first.repeat_every_s))}${number("retention_days", "Keep the result", "for days", { placeholder: "7" })}</div>
      ${field("compare_with", "Compare with", "the id of an earlier scrape; one that repeats is compared anyway", html`<input class="mono" list="job-others" spellcheck=${false} autocomplete="off" maxlength=${LONGEST_ID} placeholder="job_…" ...${given("compare_with")} />`)}
      <datalist id="job-others">${others.map((job) => html`<option value=${job.job_id}>${titleOf(job)}</option>`)}</datalist>
      <p class="muted note">What the site's robots.txt asks for is always obeyed.</p>
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

// An interval of an earlier job may have no word of its own.
const repeatsWith = (given) => (REPEATS.some(([value]) => value === given) ? REPEATS : [...REPEATS, [given, capital(everyOf(Number(given)))]]);
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** The server's own rules, so that a fault shows before it is asked. */
function faultsOf(draft) {
  const numbers = Object.keys(NUMBERS).map((name) => [name, numberFault(name, draft[name])]);
  return Object.fromEntries([["url", urlFault(draft.url.trim())], ...numbers].filter(([, fault]) => fault));
}

function urlFault(url) {
  if (!url) return "An address is needed, such as https://example.com.";
  if (!/^https?:\/\//i.test(url)) return "An address begins with http:// or https://.";
  if (/^[^/]*\/\/[^/?#\\]*@/.test(url)) return "An address has no user name in it.";
  return URL.canParse(url) ? null : "This is no address.";
}

function numberFault(name, text) {
  if (!text.trim()) return BLANK[name] ? NUMBERS[name][2] : null;
  const [least, most, fault] = NUMBERS[name];
  const value = Number(text);
  const isOne = WHOLE.includes(name) ? Number.isInteger(value) : Number.isFinite(value);
  return isOne && value >= least && value <= most ? null : fault;
}

// The server says in words what is wrong, and names the field first.
function refusalIn(error) {
  if (error?.status !== 400) return {};
  return { field: FIELDS.find((name) => new RegExp(`^${name}\\b`).test(error.message)) };
}

// What is as the server would have it is not named.
function wishOf(draft) {
  const always = ["max_pages", "timeout_s", "priority"];
  const others = ADVANCED.filter((name) => !always.includes(name) && draft[name].trim() !== BLANK[name]);
  const wish = [...always, ...others].map((name) => [name, isNumber(name) ? Number(draft[name]) : draft[name].trim()]);
  return { url: draft.url.trim(), same_origin_only: draft.same_origin_only, ...Object.fromEntries(wish) };
}

const isNumber = (name) => name === "repeat_every_s" || Object.hasOwn(NUMBERS, name);

// Of an earlier job only what the form knows.
function draftOf(data) {
  const draft = { ...BLANK };
  for (const [name, blank] of Object.entries(BLANK)) {
    const given = data?.[name];
    if (typeof blank === "boolean" ? typeof given === "boolean" : ["string", "number"].includes(typeof given)) draft[name] = typeof blank === "boolean" ? given : String(given);
  }
  return draft;
}
