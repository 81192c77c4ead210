// How pull requests fare: how long each phase takes, what is stale, who reviews.

import { html, useEffect, useRef } from "./preact-htm.js";
import { getPullMetrics } from "./api.js";
import { go, linkTo, useMedia, usePoll } from "./hooks.js";
import { Badge, ErrorPanel, formatCount, formatSpan, plural } from "./ui.js";

const POLL_MS = 60_000;
const MOST_REVIEWERS = 3;
export const DAYS = ["7", "30", "90"];
const PHASES = [
  ["cycle", "Cycle time", "From the first commit to the merge"],
  ["coding", "Coding", "From the first commit until it was opened"],
  ["pickup", "Pickup", "From opened until the first review"],
  ["review", "Review", "From the first review until it was approved"],
  ["merge", "Merge", "From approved until it was merged"],
];
const BANDS = { elite: ["ok", "Elite"], good: ["ok", "Good"], fair: ["warning", "Fair"], needs_focus: ["failed", "Needs focus"] };

/** The figures of some days, asked for now and then: { data, error, refresh }. */
export function useFigures(repository, days) {
  const key = `${repository} ${days}`;
  const poll = usePoll(async () => ({ key, found: await getPullMetrics({ repository, days }) }), POLL_MS);
  const asked = useRef(key);
  useEffect(() => {
    if (asked.current === key) return;
    asked.current = key;
    poll.refresh();
  }, [key]);
  return { ...poll, data: poll.data?.key === key ? poll.data.found : null };
}

/** The strip above the board; on a phone it is folded. */
export function Figures({ figures: { data, error, refresh }, days, stale }) {
  const phone = useMedia("(max-width: 720px)");
  if (!data && error) return html`<${ErrorPanel} title="The figures could not be read" error=${error} onRetry=${refresh} />`;
  const label = `Figures of the last ${days} days`;
  const body = html`<${Body} data=${data} days=${days} stale=${stale} />`;
  if (!phone) return html`<section class="panel figures" aria-label=${label} aria-busy=${data ? null : "true"}>${body}</section>`;
  return html`<details class="panel figures"><summary>Figures <span class="muted">${data ? gist(data) : "…"}</span></summary>${body}</details>`;
}

const gist = ({ phases: { cycle }, stale, merged }) =>
  [`${formatCount(merged)} merged`, cycle?.p50_s != null && `median ${formatSpan(cycle.p50_s)}`, stale.length > 0 && `${formatCount(stale.length)} stale`].filter(Boolean).join(" · ");

const Body = ({ data, days, stale }) =>
  html`<dl class="phases">
      ${PHASES.map((phase) => html`<${Phase} phase=${phase} found=${data?.phases[phase[0]]} />`)}
      <div class="phase"><dt>Stale</dt><dd class=${data?.stale.length ? "warning" : ""}>${data ? formatCount(data.stale.length) : "–"}</dd>
        ${(stale || data?.stale.length > 0) && html`<a href=${linkTo({ stale: stale ? null : "true" })}>${stale ? "Show all" : "Show them"}</a>`}</div>
      <div class="phase load"><dt title="Whose review is asked for, and how many each has done">Review load</dt><${Load} load=${data?.load} /></div>
    </dl>
    <div class="muted spent"><${Days} days=${days} /><p>${data ? [`${formatCount(data.merged)} merged`, ...spent(data.insights)].join(" · ") : "…"}</p></div>`;

const Days = ({ days }) =>
  html`<select aria-label="Days" value=${days} onChange=${(event) => go({ days: event.target.value === "30" ? null : event.target.value }, { replace: true })}>
    ${DAYS.map((count) => html`<option value=${count}>Last ${count} days</option>`)}</select>`;

function Phase({ phase: [, name, hint], found }) {
  const [kind, band] = BANDS[found?.band] ?? [];
  const known = found && found.p50_s !== null && found.count > 0;
  return html`<div class="phase"><dt title=${hint}>${name}</dt>
    <dd title=${known ? `The median of ${plural(found.count, "pull request")}` : "None was merged in this time"}>${known ? formatSpan(found.p50_s) : "–"}
      ${known && html`<small title="Three of four took less">P75 ${formatSpan(found.p75_s)}</small>`}</dd>
    ${band && html`<${Badge} kind=${kind}>${band}<//>`}</div>`;
}

function Load({ load }) {
  if (!load?.length) return html`<dd class="muted names">${load ? "Nobody is asked" : "–"}</dd>`;
  const busiest = [...load].sort((a, b) => b.requested - a.requested || b.reviewed - a.reviewed);
  const all = busiest.map(({ reviewer, requested, reviewed }) => `${reviewer}: ${requested} open, ${reviewed} done`).join("\n");
  return html`<dd class="names" title=${all}><ul>${busiest.slice(0, MOST_REVIEWERS).map(({ reviewer, requested, reviewed }, at) => html`<li>
      <a href=${linkTo({ reviewer })}><bdi>${reviewer}</bdi></a> <span class="muted">${formatCount(requested)} open, ${formatCount(reviewed)} done</span>${at === MOST_REVIEWERS - 1 && busiest.length > MOST_REVIEWERS && html`<span class="muted">, and ${plural(busiest.length - MOST_REVIEWERS, "other")}</span>`}</li>`)}</ul></dd>`;
}

function spent({ made, cached, fallbacks, tokens_input: input, tokens_output: output, cost_usd: cost }) {
  const parts = [
    made > 0 && plural(made, "insight"),
    cached > 0 && `${formatCount(cached)} known already`,
    fallbacks > 0 && `${formatCount(fallbacks)} by rules because the model failed`,
    (input > 0 || output > 0) && `${formatCount(input)} tokens in, ${formatCount(output)} out`,
    cost > 0 && money(cost),
  ];
  return parts.filter(Boolean);
}

/** What something cost, in dollars: small sums in two digits. */
export const money = (dollars) => (dollars < 0.0001 ? "less than $0.0001" : `$${dollars >= 1 ? dollars.toFixed(2) : Number(dollars.toPrecision(2))}`);
