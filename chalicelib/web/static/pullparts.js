// Pull requests in the small: the badges and names that the board, the table and
// the drawer share.

import { html } from "./preact-htm.js";
import { linkTo, pathOf } from "./hooks.js";
import { RISKS, STATUSES, checksOf, keyOf, placeIn, reviewsOf, riskOf, staleWords } from "./pullmodel.js";
import { Badge } from "./ui.js";

const MOST_NAMES = 2;

/** What leaves the address when another pull request is opened. */
export const CLOSED = { tab: null, panel: null };

export const linkOf = (pull) => linkTo(CLOSED, pathOf("pulls", placeIn(keyOf(pull))));

/** `octo/shop#101`, of which the name gives way where there is little room. */
export const Name = ({ pull }) =>
  html`<span class="pull-name" title="${pull.repository_name}#${pull.pr_number}"><bdi>${pull.repository_name}</bdi><span>#${pull.pr_number}</span></span>`;

export const Status = ({ status }) => {
  const [kind, words] = STATUSES[status] ?? ["quiet", status];
  return html`<${Badge} kind=${kind}>${words}<//>`;
};

/** How risky it is, or nothing where nobody has said. */
export const Risk = ({ level }) => {
  if (!Object.hasOwn(RISKS, level ?? "")) return null;
  const [kind, words, sign] = RISKS[level];
  return html`<${Badge} kind=${kind} sign=${sign}>${words}<//>`;
};

export const Checks = ({ pull }) => {
  const [kind, words, all] = checksOf(pull.checks);
  return html`<${Badge} kind=${kind} title=${all}>${words}<//>`;
};

/** Who approved it, who wants changes, whom it waits for: the most telling of them. */
export function Reviews({ pull }) {
  const { approved, changes, waiting } = reviewsOf(pull);
  const all = [["Approved by", approved], ["Changes requested by", changes], ["Waits for", waiting]]
    .filter(([, names]) => names.length).map(([words, names]) => `${words} ${names.join(", ")}`).join("\n");
  if (changes.length) return html`<${Badge} kind="warning" title=${all}><${Names} words="Changes: " names=${changes} /><//>`;
  if (approved.length) return html`<${Badge} kind="ok" title=${all}><${Names} names=${approved} /><//>`;
  if (waiting.length) return html`<${Badge} title=${all}><${Names} words="Waits for " names=${waiting} /><//>`;
  return null;
}

const Names = ({ words, names }) =>
  html`<span class="cut">${words}<bdi>${names.slice(0, MOST_NAMES).join(", ")}</bdi>${names.length > MOST_NAMES && ` +${names.length - MOST_NAMES}`}</span>`;

export const Stale = ({ stale }) => stale && html`<${Badge} kind="warning" title=${staleWords(stale)}>Stale<//>`;
export const Draft = ({ pull }) => pull.is_draft && html`<${Badge} title="Its author still works on it">Draft<//>`;

/** The marks of one, in the order of what one looks for. */
export const Marks = ({ pull, stale }) =>
  html`<${Risk} level=${riskOf(pull)} /><${Checks} pull=${pull} /><${Reviews} pull=${pull} /><${Draft} pull=${pull} /><${Stale} stale=${stale} />`;

/** Lines added and removed. */
export const Size = ({ pull: { additions, deletions } }) =>
  html`<span class="size"><span class="ok">+${additions}</span> <span class="failed">−${deletions}</span></span>`;
