// Which jobs are shown: all of it is the address.

import { html, useRef } from "./preact-htm.js";
import { go, linkTo, useHotkeys, useMedia } from "./hooks.js";
import { STATUSES } from "./jobmodel.js";

const PHONE = "(max-width: 720px)";
/** What leaves the address when every job is to be shown. */
export const ANY = { status: null, service: null };
const CHOICES = [["", "All"], ...Object.entries(STATUSES).map(([id, [, words]]) => [id, words])];

/** `wish` is what the address asks for, `services` those that were heard of; `opened` has a search of its own. */
export function Filters({ wish, services, opened }) {
  const phone = useMedia(PHONE);
  const bar = useRef();
  useHotkeys({ "/": () => !opened && bar.current.querySelector("[aria-current=true], select").focus() });
  return html`<form class="filter-bar job-filters" role="search" aria-label="Filter the jobs" ref=${bar} onSubmit=${(event) => event.preventDefault()}>
    ${phone ? html`<${Choice} label="Status" name="status" any="Every status" value=${wish.status} options=${CHOICES.slice(1)} />` : html`<${Statuses} status=${wish.status} />`}
    <${Choice} label="Service" name="service" any="Every service" value=${wish.service} options=${namesOf(services, wish.service)} />
  </form>`;
}

const namesOf = (services, chosen) => [...new Set([...services, chosen].filter(Boolean))].sort().map((name) => [name, name]);

const Statuses = ({ status }) =>
  html`<div class="views" role="group" aria-label="Status">
    ${CHOICES.map(([id, words]) => html`<a class="button" href=${linkTo({ status: id || null })} aria-current=${id === status ? "true" : null}>${words}</a>`)}
  </div>`;

const Choice = ({ label, name, any, value, options }) =>
  html`<select aria-label=${label} value=${value} onChange=${(event) => go({ [name]: event.target.value || null })}>
    <option value="">${any}</option>
    ${options.map(([id, words]) => html`<option value=${id}>${words}</option>`)}
  </select>`;
