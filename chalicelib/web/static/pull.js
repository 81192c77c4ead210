// One pull request in a drawer: what it is, how far it is, and all that is known of it.

import { html, useEffect } from "./preact-htm.js";
import { getPull } from "./api.js";
import { go, linkTo, usePoll } from "./hooks.js";
import { FlowTab, InsightTab } from "./pullinsight.js";
import { keyOf, placeIn, reviewsOf, sizeOf } from "./pullmodel.js";
import { CLOSED, Checks, Draft, Name, Reviews, Risk, Size, Stale, Status } from "./pullparts.js";
import { ChecksTab, FilesTab, Timeline } from "./pulltabs.js";
import { Badge, Drawer, ErrorPanel, Facts, Guard, Id, OutLink, Skeleton, Tabs, Time, formatCount, formatSpan } from "./ui.js";

const POLL_MS = 60_000;

/** `list` knows it as the connection tells it; `stale` tells why it is, if it is. */
export function PullDrawer({ id, list, stale, tab, focus, onClose }) {
  const place = placeIn(id);
  const poll = usePoll(async () => learned(await getPull(place), list), POLL_MS);
  const pull = newest(list.known.get(id), poll.data?.pull);
  const behind = poll.data && pull.revision > poll.data.pull.revision;
  useEffect(() => void (behind && poll.refresh()), [pull?.revision]);
  const name = id.replace(/\/(\d+)$/, "#$1");
  const title = pull ? html`<bdi>${pull.title}</bdi>` : html`<code>${name}</code>`;
  return html`<${Drawer} title=${title} label="Pull request ${name}" onClose=${onClose} focus=${focus}>
    ${poll.error && html`<${ErrorPanel} title="The pull request could not be read" error=${poll.error} onRetry=${poll.refresh} />`}
    ${!pull && !poll.error && html`<${Skeleton} lines=${8} />`}
    ${pull && html`<div class="pull">
      <${Guard}><${Head} pull=${pull} stale=${stale} /><//>
      <${Guard}><${Pipeline} steps=${pull.pipeline_status} /><//>
      <${Guard}><${About} pull=${pull} phases=${poll.data?.phases} /><//>
      <${Guard}><${Parts} pull=${pull} whole=${poll.data} error=${poll.error} place=${place} tab=${tab} /><//>
    </div>`}
  <//>`;
}

const learned = (whole, list) => (list.learn(whole.pull), whole);
const newest = (a, b) => (a && b ? (a.revision >= b.revision ? a : b) : (a ?? b));

const Head = ({ pull, stale }) =>
  html`<p class="drawer-sub"><${OutLink} url=${pull.url}><${Name} pull=${pull} /><//>${pull.commit_sha && html`<${Id} value=${pull.commit_sha} keep=${4} />`}</p>
    <p class="marks"><${Status} status=${pull.status} /><${Risk} level=${pull.ai_insight?.risk_level} /><${Checks} pull=${pull} /><${Reviews} pull=${pull} />
      <${Draft} pull=${pull} /><${Stale} stale=${stale} />${pull.fork && html`<${Badge} title="It comes from a copy of the repository">Fork<//>`}</p>`;

const WORDS = {
  pending: ["quiet", "Pending"],
  opened: ["ok", "Opened"],
  updated: ["ok", "Updated"],
  running: ["running", "Running"],
  passed: ["ok", "Passed"],
  failed: ["failed", "Failed"],
  approved: ["ok", "Approved"],
  changes_requested: ["warning", "Changes"],
  merged: ["ok", "Merged"],
  closed: ["quiet", "Closed"],
};

/** The four steps, in their order, each with its state. */
function Pipeline({ steps = {} }) {
  const step = (name, value) => {
    const [kind, words] = WORDS[value] ?? ["quiet", value ?? "Pending"];
    return html`<li class=${kind}><span class="muted">${name}</span><${Badge} kind=${kind}>${words}<//></li>`;
  };
  return html`<ol class="pipeline" aria-label="Pipeline">${step("Opened", steps.status_pr)}${step("Build", steps.status_build)}${step("Approval", steps.status_approval)}${step("Merge", steps.status_merge)}</ol>`;
}

const MOMENTS = [
  ["opened", "created_at"],
  ["changed", "updated_at"],
  ["merged", "merged_at"],
  ["closed", "closed_at"],
];
const PHASES = ["coding", "pickup", "review", "merge", "cycle"];

function About({ pull, phases }) {
  const { approved, changes, waiting } = reviewsOf(pull);
  const took = PHASES.filter((name) => phases?.[`${name}_s`] != null).map((name) => `${name} ${formatSpan(phases[`${name}_s`])}`);
  const first = [
    ["by", html`<a href=${linkTo({ ...CLOSED, author: pull.author }, "pulls")}><bdi>${pull.author}</bdi></a>`],
    ["branch", pull.branch_name && html`<code>${pull.branch_name}</code> into <code>${pull.base_branch ?? "?"}</code>`],
    ["size", html`<${Size} pull=${pull} /> ${sizeOf(pull)}`],
    ["labels", pull.labels?.length > 0 && pull.labels.map((label) => html`<${Label} label=${label} />`)],
  ];
  const more = [
    ["assigned", pull.assignees?.join(", ")],
    ["approved by", approved.join(", ")],
    ["changes by", changes.join(", ")],
    ["waits for", waiting.join(", ")],
    ["when", MOMENTS.filter(([, field]) => pull[field]).map(([word, field], at) => html`${at > 0 && ", "}${word} <${Time} value=${pull[field]} every=${30_000} />`)],
    ["phases", took.join(", ")],
  ];
  return html`<${Facts} facts=${first} />
    <details class="more"><summary>Description and details</summary><${Facts} facts=${more} />
      ${pull.description && html`<p class="told"><bdi>${pull.description}</bdi></p>`}</details>`;
}

// A stranger chose the colour: only what is one becomes one.
const Label = ({ label: { name, color } }) =>
  html`<span class="label">${/^[0-9a-f]{6}$/i.test(color ?? "") && html`<span class="swatch" style=${{ background: `#${color}` }}></span>`}<bdi>${name}</bdi></span>`;

function Parts({ pull, whole, error, place, tab }) {
  const wait = (part) => (whole ? part() : error ? null : html`<${Skeleton} lines=${5} />`);
  const key = keyOf(pull);
  const insights = whole?.insights ?? [pull.ai_insight].filter(Boolean);
  const tabs = [
    { id: "insight", name: "Insight", body: () => html`<${InsightTab} pull=${pull} insights=${insights} place=${place} />` },
    { id: "timeline", name: "Timeline", body: () => html`<${Timeline} key=${key} place=${place} revision=${pull.revision} />` },
    { id: "checks", name: counted("Checks", whole?.checks), body: () => wait(() => html`<${ChecksTab} checks=${whole.checks} head=${pull.commit_sha} />`) },
    { id: "files", name: counted("Files", whole?.files), body: () => wait(() => html`<${FilesTab} files=${whole.files} pull=${pull} />`) },
    { id: "flow", name: "Flow", body: () => html`<${FlowTab} pull=${pull} flow=${(pull.ai_insight ?? insights[0])?.flow} />` },
  ];
  const chosen = tabs.some(({ id }) => id === tab) ? tab : "insight";
  const choose = (id) => go({ tab: id === "insight" ? null : id }, { replace: true });
  const guarded = tabs.map((one) => ({ ...one, body: () => html`<${Guard} key=${one.id}>${one.body()}<//>` }));
  return html`<${Tabs} tabs=${guarded} chosen=${chosen} onChoose=${choose} label="Parts of the pull request" />`;
}

const counted = (name, rows) => (rows ? html`${name} <span class="tally">${formatCount(rows.length)}</span>` : name);
