// What is otherwise than when the site was last scraped.

import { html } from "./preact-htm.js";
import { comparedWith } from "./jobmodel.js";
import { Chips, Group, JobLink } from "./jobparts.js";
import { OutLink, formatCount, plural } from "./ui.js";

const WEB = ["https:", "http:"];
const PAGES = [["added", "New pages"], ["removed", "Pages gone"], ["changed", "Pages changed"]];
const CONTACTS = [["contacts_added", "New contacts"], ["contacts_removed", "Contacts gone"]];
// The server names no more contacts than these, and does not count the rest.
const MOST_CONTACTS = 200;

/** How many pages are otherwise; null where there was nothing to compare with. */
export function changesIn({ result }) {
  const found = result?.difference;
  return found ? PAGES.reduce((sum, [id]) => sum + countOf(found, id), 0) : null;
}

const countOf = (found, id) => found[`${id}_count`] ?? found[id]?.length ?? 0;

export function Changes({ job }) {
  const found = job.result.difference;
  const pages = PAGES.filter(([id]) => countOf(found, id) > 0);
  const contacts = CONTACTS.filter(([id]) => found[id]?.length > 0);
  return html`<div class="results">
    <p class="muted note"><${Against} id=${comparedWith(job)} />: ${sameIn(found, pages)}</p>
    <div>
      ${pages.map(([id, name]) => html`<${Group} key=${id} name=${name} count=${countOf(found, id)} open=${true}><${Urls} urls=${found[id] ?? []} count=${countOf(found, id)} /><//>`)}
      ${contacts.map(([id, name]) => html`<${Group} key=${id} name=${name} count=${found[id].length} open=${true}>
        <div class="changed-contacts"><${Chips} texts=${found[id]} label=${name} /></div>
        ${found[id].length >= MOST_CONTACTS && html`<p class="muted">There may be more: so many are named.</p>`}<//>`)}
    </div>
  </div>`;
}

const Against = ({ id }) => (id ? html`Compared with <${JobLink} id=${id} />` : "Compared with an earlier job");

function sameIn({ unchanged_count: same = 0 }, pages) {
  if (!pages.length && !same) return "no page could be compared.";
  if (!pages.length) return `nothing has changed on ${plural(same, "page")}.`;
  return same === 1 ? "1 page is as it was." : `${plural(same, "page")} are as they were.`;
}

const Urls = ({ urls, count }) =>
  html`<ul class="found urls">${urls.map((url) => html`<li key=${url}><p class="found-url"><${OutLink} url=${url} schemes=${WEB}><bdi>${url}</bdi><//></p></li>`)}
    ${count > urls.length && html`<li class="muted">and ${formatCount(count - urls.length)} more, which are not named</li>`}</ul>`;
