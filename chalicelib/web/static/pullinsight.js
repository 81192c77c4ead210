// What an analyst says of a pull request, and what it does to the flow of events.

import { html, useEffect, useState } from "./preact-htm.js";
import { analysePull } from "./api.js";
import { pageLink, useAct } from "./hooks.js";
import { money } from "./pullfigures.js";
import { RISKS } from "./pullmodel.js";
import { Risk } from "./pullparts.js";
import { Age, Badge, Command, EmptyState, ErrorPanel, Facts, Icon, formatCount, plural, toast } from "./ui.js";

const SHORT = 8;
const ANALYSTS = { gemini: "Gemini", bedrock: "Amazon Bedrock" };
const OFFLINE = "Rules of this installation said this, no model: sizes, paths and words, the same every time.";

/** The newest insight, then those before it. */
export function InsightTab({ pull, insights, place }) {
  const newest = pull.ai_insight ?? insights[0];
  const older = insights.filter(({ id }) => id !== newest?.id);
  return html`<div class="insight">
    ${newest ? html`<${Insight} insight=${newest} head=${pull.commit_sha} />` : html`<p class="muted">No insight yet: one is made a moment after each push.</p>`}
    <${Again} place=${place} newest=${newest?.id} />
    ${older.length > 0 && html`<h3>Before</h3><ul class="olders">${older.map((one) => html`<li key=${one.id}><details class="more">
      <summary><${Risk} level=${one.risk_level} /> <span class="muted"><code>${short(one.commit_sha)}</code> · <${Age} value=${one.created_at} /></span></summary>
      <${Insight} insight=${one} head=${one.commit_sha} /></details></li>`)}</ul>`}
  </div>`;
}

const short = (sha) => (sha ?? "").slice(0, SHORT);

function Insight({ insight, head }) {
  const { risk_level: risk, confidence_score: score, summary, recommendation, key_changes: changes, security } = insight;
  return html`<p class="marks"><${Risk} level=${risk} /><${Confidence} score=${score} />${insight.cached && html`<${Badge} title="The same change was analysed before">Known already<//>`}</p>
    ${insight.commit_sha !== head && html`<p class="notice"><${Icon} name="warning" />Of an older commit, ${short(insight.commit_sha)}.</p>`}
    <p class="summary"><bdi>${summary}</bdi></p>
    ${recommendation && html`<p class="advice"><strong>Next:</strong> <bdi>${recommendation}</bdi></p>`}
    ${changes?.length > 0 && html`<h3>Key changes</h3><ul class="points">${changes.map((one) => html`<li><bdi>${one}</bdi></li>`)}</ul>`}
    <${Issues} issues=${insight.issues} />
    ${security?.length > 0 && html`<h3>Security</h3><ul class="points">${security.map((one) => html`<li><bdi>${one}</bdi></li>`)}</ul>`}
    <${Origin} insight=${insight} />`;
}

const Confidence = ({ score }) => {
  const percent = Math.round((score ?? 0) * 100);
  return html`<span class="confidence muted">Confidence <progress max="100" value=${percent} aria-label="Confidence"></progress> ${percent} %</span>`;
};

const Issues = ({ issues }) =>
  issues?.length > 0 && html`<h3>Issues</h3><ul class="issues">${issues.map(({ path, line, severity, message }) => {
    const [kind, , sign] = RISKS[severity] ?? ["quiet", "", "–"];
    return html`<li><p class="marks"><${Badge} kind=${kind} sign=${sign}>${severity}<//><code>${path}${line ? `:${line}` : ""}</code></p><p><bdi>${message}</bdi></p></li>`;
  })}</ul>`;

/** How it came about: effort, tests, analyst, what it has read, what it cost. */
function Origin({ insight }) {
  const { effort, tests_touched: tests, analyst, model, fallback_reason: reason, basis, tokens, cost_usd: cost } = insight;
  const facts = [
    ["review effort", effort && `${effort} of 5`],
    ["tests touched", tests === true ? "yes" : tests === false ? "no" : "not known: the files are not"],
    ["analyst", analyst === "offline" ? "offline rules" : [ANALYSTS[analyst] ?? analyst, model].filter(Boolean).join(", ")],
    ["has read", basis && readOf(basis)],
    ["tokens", tokens && `${formatCount(tokens.input)} in, ${formatCount(tokens.output)} out`],
    ["cost", typeof cost === "number" && (cost > 0 ? money(cost) : "nothing")],
    ["commit", insight.commit_sha && html`<code title=${insight.commit_sha}>${short(insight.commit_sha)}</code>`],
    ["made", html`<${Age} value=${insight.created_at} />`],
  ];
  return html`<h3>How it was made</h3>
    ${reason && html`<p class="notice"><${Icon} name="warning" />The model could not be asked, so rules answered: <bdi>${reason}</bdi></p>`}
    ${analyst === "offline" && !reason && html`<p class="muted">${OFFLINE}</p>`}
    <${Facts} facts=${facts} />
    ${basis?.skipped?.length > 0 && html`<details class="more"><summary>${plural(basis.skipped.length, "file")} left out</summary><ul class="points">${basis.skipped.map((one) => html`<li><code>${one}</code></li>`)}</ul></details>`}`;
}

function readOf({ files, read, incremental }) {
  const whole = files === null || files === undefined ? "no files: they are not known" : `${formatCount(read)} of ${plural(files, "file")}`;
  return incremental ? `${whole}, what came since the insight before` : whole;
}

// Waits for the connection to bring the new one; says so until then.
function Again({ place, newest }) {
  const { run, busy, error } = useAct();
  const [asked, setAsked] = useState(null);
  useEffect(() => setAsked(null), [newest]);
  const ask = () => run(async () => {
    await analysePull(place);
    setAsked(newest ?? "none");
    toast("Queued: the new insight shows here when it is made");
  });
  return html`<div class="test">
    <button type="button" class="button" disabled=${busy || asked !== null} onClick=${ask}>${busy ? "Asking …" : asked === null ? "Analyse again" : "Queued"}</button>
    ${error && html`<${ErrorPanel} title="It was not queued" error=${error} />`}
  </div>`;
}

const SIDES = [
  ["publishers", "publishes", "no longer publishes"],
  ["subscribers", "listens to", "no longer listens to"],
];

/** What it adds to the flow of events and takes from it, as the scans of both commits tell. */
export function FlowTab({ pull, flow }) {
  if (!flow) return html`<${NoScan} pull=${pull} />`;
  return html`<div class="insight">
    ${flow.lost_last_publisher.map((event) => html`<p class="lost" role="note"><${Badge} kind="failed">Lost publisher<//> <code>${event}</code> is still listened to, but nothing publishes it any more.</p>`)}
    ${flow.empty && html`<p><${Badge} kind="ok">No difference<//> <span class="muted">The same agents publish and hear the same events.</span></p>`}
    ${SIDES.map(([side, adds, removes]) => html`<${Side} name=${side} added=${flow[`${side}_added`]} removed=${flow[`${side}_removed`]} adds=${adds} removes=${removes} />`)}
    ${flow.orphans_made.length > 0 && html`<h3>Orphans made</h3><ul class="edges">${flow.orphans_made.map(({ event, kind }) => html`<li><${Badge} kind="warning">${kind === "unpublished" ? "Unpublished" : "Unheard"}<//> <code>${event}</code> <span class="muted">${kind === "unpublished" ? "is listened to, but not published" : "is published, but not listened to"}</span></li>`)}</ul>`}
    <p class="muted">Project <bdi>${flow.project}</bdi>: <${Version} of=${flow.head} /> against <${Version} of=${flow.base} />.</p>
    <p class="links"><a href=${comparing(flow)}>Show both in the picture</a><a href=${pageLink("flow", { project: flow.project })}>The flow of ${flow.project}</a></p>
  </div>`;
}

function Side({ name, added, removed, adds, removes }) {
  if (!added.length && !removed.length) return null;
  const line = (words, kind, sign) => ({ event, agent }) => html`<li><span class="sign ${kind}">${sign}</span> <code>${agent}</code> <span class="muted">${words}</span> <code>${event}</code></li>`;
  return html`<h3>${name === "publishers" ? "Who publishes" : "Who listens"}</h3>
    <ul class="edges changes">${added.map(line(adds, "added", "+"))}${removed.map(line(removes, "removed", "−"))}</ul>`;
}

const Version = ({ of: { ref, version, commit } }) => html`<code>${ref}</code> version ${version}${commit && html` (<code title=${commit}>${short(commit)}</code>)`}`;

const comparing = ({ project, head, base }) =>
  pageLink("flow", { type: "complete", project, ref: head.ref, version: head.version, base: `${base.ref}@${base.version}`, panel: "changes" });

const NoScan = ({ pull }) =>
  html`<div class="insight"><${EmptyState} title="What it does to the flow of events is not known.">
    <p>That takes a scan of the code of both branches. Let a workflow of the repository push one for each commit, or do it by hand:</p>
    <${Command} text=${`eventyard scan . --project=${quoted(pull.repository_name)} --ref=${quoted(pull.branch_name ?? "HEAD")} --push`} />
    <p>and once for <code>${pull.base_branch ?? "the base branch"}</code>; then analyse again.</p>
  <//></div>`;

// A branch may be called anything; a command that is copied must stay one.
const quoted = (text) => (/^[\w./@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
