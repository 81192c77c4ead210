// The page `/events`: the log, newest first, and each event with its trace.

import { html } from "./preact-htm.js";
import { EventDrawer, useKnown } from "./details.js";
import { FeedPanel } from "./feedview.js";
import { filterFault } from "./filters.js";
import { escaping, go, linkTo, pathOf, useDrawer, useHotkeys } from "./hooks.js";
import { useSource } from "./source.js";
import { spanIn } from "./timerange.js";
import { patternFault, splitTopics } from "./topics.js";
import { Guard, PageTitle } from "./ui.js";

const KEPT = 10_000;
const CLOSED = { tab: null, source: null };

export default function Events({ place, source, config }) {
  const { id, query } = place;
  useSource(source, config, wished(query));
  const drawer = useDrawer(CLOSED, "events");
  const known = useKnown(source, id);
  const kept = (event) => ({ ...CLOSED, tab: query.tab, source: senderOf(event) });
  useHotkeys({ Escape: escaping(id, drawer.close) });
  return html`<main id="main" class="main" tabindex="-1">
      <${PageTitle} title="Events">The log, newest first; open one to see where it went, and why not elsewhere.<//>
      <${Guard}><${FeedPanel} source=${source} opened=${id} auth=${config?.auth} log=${true}
        linkOf=${(event) => linkTo(kept(event), pathOf("events", event.id))}
        onOpen=${(event, { byKey }) => drawer.open(kept(event), { withKey: byKey, id: event.id })}
        onMove=${(event) => id && go(kept(event), { replace: true, path: pathOf("events", event.id) })} /><//>
    </main>
    ${id && html`<${Guard} key="event"><${EventDrawer} id=${id} sender=${query.source?.[0]} known=${known} tab=${query.tab?.[0]}
      focus=${drawer.byKey} onClose=${drawer.close} /><//>`}`;
}

// Ids that senders chose are unique only within their source.
const senderOf = ({ id, source }) => (id.startsWith("evt_") ? null : source);

// What is malformed in the address is left out.
function wished(query) {
  return {
    topics: splitTopics((query.topics ?? []).join(",")).filter((topic) => !patternFault(topic)),
    filters: (query.filter ?? []).filter((filter) => !filterFault(filter)),
    kept: KEPT,
    ...spanIn(query),
  };
}
