// What happened to a pull request, what was checked of it, what it touches.

import { html, useEffect } from "./preact-htm.js";
import { getPullHistory } from "./api.js";
import { usePages } from "./hooks.js";
import { Size } from "./pullparts.js";
import { Age, Badge, ErrorPanel, OutLink, Skeleton, formatCount, formatSpan, plural } from "./ui.js";

const POLL_MS = 60_000;
const SHORT = 8;
const MOST_FILES = 300;

const HAPPENED = {
  opened: ["ok", "Opened"],
  reopened: ["ok", "Reopened"],
  pushed: ["running", "Pushed"],
  closed: ["quiet", "Closed"],
  merged: ["ok", "Merged"],
  edited: ["quiet", "Edited"],
  labeled: ["quiet", "Labelled"],
  unlabeled: ["quiet", "Label removed"],
  assigned: ["quiet", "Assigned"],
  unassigned: ["quiet", "Unassigned"],
  review_requested: ["quiet", "Review asked"],
  review_request_removed: ["quiet", "Review not asked"],
  ready_for_review: ["ok", "Ready"],
  converted_to_draft: ["quiet", "Draft again"],
  approved: ["ok", "Approved"],
  changes_requested: ["warning", "Changes asked"],
  commented: ["quiet", "Commented"],
  dismissed: ["quiet", "Dismissed"],
  check: ["running", "Check"],
  insight: ["running", "Insight"],
};

/** What happened, the newest first; asked for again when the pull request changes. */
export function Timeline({ place, revision }) {
  const list = usePages((cursor) => getPullHistory(place, cursor), (page) => page.history, { ms: POLL_MS });
  useEffect(() => void (list.rows && list.refresh()), [revision]);
  if (list.error && !list.rows) return html`<${ErrorPanel} title="The history could not be read" error=${list.error} onRetry=${list.refresh} />`;
  if (!list.rows) return html`<${Skeleton} lines=${6} />`;
  if (!list.rows.length) return html`<p class="muted">Nothing is known of what happened.</p>`;
  return html`<ol class="timeline">${list.rows.map((one) => html`<${Happened} one=${one} />`)}</ol>
    ${list.more && html`<p class="foot"><button type="button" class="button" disabled=${list.busy} onClick=${list.loadMore}>${list.busy ? "Loading …" : "Load older"}</button></p>`}`;
}

function Happened({ one: { at, kind, actor, text, sha, url } }) {
  const [sign, words] = HAPPENED[kind] ?? ["quiet", kind];
  return html`<li>
    <p class="marks"><${Badge} kind=${sign}>${words}<//><span class="muted">${actor && html`<bdi>${actor}</bdi> · `}<${Age} value=${at} /></span>${sha && html`<code class="muted" title=${sha}>${sha.slice(0, SHORT)}</code>`}</p>
    ${text && html`<p><${OutLink} url=${url}><bdi>${text}</bdi><//></p>`}
  </li>`;
}

const STATES = { failed: ["failed", "Failed"], running: ["running", "Running"], passed: ["ok", "Passed"], ignored: ["quiet", "Ignored"] };
const KINDS = { check: "check", workflow: "workflow", job: "job", suite: "suite", status: "status" };

/** Every check of the head commit, the worst first. */
export function ChecksTab({ checks, head }) {
  if (!checks.length) return html`<p class="muted">No check has reported on ${head ? html`commit <code>${head.slice(0, SHORT)}</code>` : "it"} yet.</p>`;
  const order = Object.keys(STATES);
  const sorted = [...checks].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name));
  return html`<table class="attempts parts" aria-label="Checks">
    <thead><tr><th scope="col">State</th><th scope="col">Name</th><th scope="col" class="number">Took</th></tr></thead>
    <tbody>${sorted.map((check) => html`<${Check} check=${check} head=${head} />`)}</tbody>
  </table>`;
}

function Check({ check: { name, kind, state, conclusion, url, sha, started_at: from, completed_at: until }, head }) {
  const [sign, words] = STATES[state] ?? ["quiet", state];
  const took = from && until ? (Date.parse(until) - Date.parse(from)) / 1000 : null;
  const other = conclusion && conclusion !== state && !["success", "failure"].includes(conclusion) ? ` (${conclusion.replaceAll("_", " ")})` : "";
  return html`<tr class="plain">
    <td class="fit"><${Badge} kind=${sign}>${words}<//></td>
    <td class="wrap"><${OutLink} url=${url}><bdi>${name}</bdi><//> <span class="muted">${KINDS[kind] ?? kind}${other}${sha && head && sha !== head && ` of ${sha.slice(0, SHORT)}`}</span></td>
    <td class="number">${took !== null && took >= 0 ? formatSpan(took) : from ? html`<${Age} value=${from} />` : "–"}</td>
  </tr>`;
}

/** The files that it touches, where they are known. */
export function FilesTab({ files, pull }) {
  const names = files ?? (pull.files_changed ?? []).map((filename) => ({ filename }));
  if (!names.length) return html`<p class="muted">Which files it touches is not known${pull.changed_files ? `, only that they are ${formatCount(pull.changed_files)}` : ""}: GitHub tells them to an installation that has a token (EVENTYARD_GITHUB_TOKEN).</p>`;
  return html`<p class="muted">${plural(names.length, "file")}, <${Size} pull=${pull} /></p>
    <table class="attempts parts" aria-label="Files">
      <thead><tr><th scope="col">File</th><th scope="col">State</th><th scope="col" class="number">Lines</th></tr></thead>
      <tbody>${names.slice(0, MOST_FILES).map((file) => html`<tr class="plain">
        <td class="wrap"><code>${file.filename}</code></td><td class="fit muted">${file.status ?? "–"}</td>
        <td class="number">${typeof file.additions === "number" ? html`<${Size} pull=${file} />` : "–"}</td></tr>`)}</tbody>
    </table>
    ${names.length > MOST_FILES && html`<p class="muted">and ${plural(names.length - MOST_FILES, "other")}</p>`}`;
}
