// The page `/`: what is running, and every event as it happens.

import { html, useState } from "./preact-htm.js";
import { getHealth, getQueues } from "./api.js";
import { EventDrawer, useKnown } from "./details.js";
import { FeedPanel } from "./feedview.js";
import { Processes } from "./figures.js";
import { escaping, go, linkTo, pageLink, useDrawer, useHotkeys, usePoll } from "./hooks.js";
import { PublishDrawer, sendDemo } from "./publish.js";
import { useSource } from "./source.js";
import { DeadLetterDrawer, DeadLetters, Status } from "./status.js";
import { filterFault } from "./filters.js";
import { patternFault, splitTopics } from "./topics.js";
import { Guard } from "./ui.js";

const CLOSED = { event: null, dead: null, panel: null, tab: null };

export default function Overview({ place, source, config, stats }) {
  const address = place.query;
  const health = usePoll(getHealth, 10_000);
  const queues = usePoll(getQueues, 10_000, stats.data?.dead_letters > 0);
  useSource(source, config, wished(address));
  const drawer = useDrawer(CLOSED);
  const [opened, dead] = [address.event?.[0], address.dead?.[0]];
  const publishing = address.panel?.[0] === "publish";
  const known = useKnown(source, opened);
  const redriven = () => {
    if (dead) drawer.close();
    stats.refresh();
    queues.refresh();
  };
  useHotkeys({ n: () => drawer.open({ panel: "publish" }), Escape: escaping(opened || dead || publishing, drawer.close) });
  const demo = html`<${DemoButton} onSent=${stats.refresh} />`;
  return html`<main id="main" class="main" tabindex="-1">
      <${Title} demo=${demo} onPublish=${() => drawer.open({ panel: "publish" })} />
      <${Guard}><${Status} health=${health} stats=${stats} /><//>
      ${stats.data?.dead_letters > 0 && html`<${Guard}><${DeadLetters} queues=${queues} onRedriven=${redriven} /><//>`}
      <${Guard}><${Processes} /><//>
      <${Guard}><${FeedPanel} source=${source} opened=${opened} auth=${config?.auth} demo=${demo}
        linkOf=${(event) => linkTo({ ...CLOSED, event: event.id })}
        onOpen=${(event, { byKey }) => drawer.open({ event: event.id }, { withKey: byKey })}
        onMove=${(event) => opened && go({ event: event.id }, { replace: true })} /><//>
    </main>
    ${opened && html`<${Guard} key="event"><${EventDrawer} id=${opened} known=${known} tab=${address.tab?.[0]} focus=${drawer.byKey} onClose=${drawer.close} /><//>`}
    ${dead && html`<${Guard} key="dead"><${DeadLetterDrawer} queue=${dead} onClose=${drawer.close} /><//>`}
    ${publishing && html`<${Guard} key="publish"><${PublishDrawer} onClose=${drawer.close} onPublished=${stats.refresh} /><//>`}`;
}

function Title({ demo, onPublish }) {
  const open = (event) => {
    event.preventDefault();
    onPublish();
  };
  return html`<header class="title">
    <div><h1>Overview</h1><p class="muted">What is running, and every event as it happens. <a href=${pageLink("flow")}>See who sends what to whom</a></p></div>
    <div class="actions">${demo}<a class="button primary" href=${linkTo({ ...CLOSED, panel: "publish" })} title="n" onClick=${open}>Publish event</a></div>
  </header>`;
}

function DemoButton({ onSent }) {
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    await sendDemo();
    setBusy(false);
    onSent();
  };
  return html`<button type="button" class="button" disabled=${busy} onClick=${send}>Send demo events</button>`;
}

// What is malformed in the address is left out.
function wished(address) {
  return {
    topics: splitTopics((address.topics ?? []).join(",")).filter((topic) => !patternFault(topic)),
    filters: (address.filter ?? []).filter((filter) => !filterFault(filter)),
  };
}
