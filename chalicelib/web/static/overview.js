// The page `/`: what is running, and every event as it happens.

import { html, render, useEffect, useMemo, useReducer, useRef, useState } from "./preact-htm.js";
import { getConfig, getHealth, getQueues, getStats } from "./api.js";
import { EventDrawer } from "./details.js";
import { FeedPanel } from "./feedview.js";
import { go, linkTo, useAddress, useHotkeys, usePoll } from "./hooks.js";
import { PublishDrawer, sendDemo } from "./publish.js";
import { Shell } from "./shell.js";
import { Source } from "./source.js";
import { DeadLetterDrawer, DeadLetters, Status } from "./status.js";
import { filterFault } from "./filters.js";
import { patternFault, splitTopics } from "./topics.js";
import { Guard } from "./ui.js";

const CLOSED = { event: null, dead: null, panel: null };

function Overview() {
  const address = useAddress();
  const config = usePoll(getConfig, 60_000);
  const health = usePoll(getHealth, 10_000);
  const stats = usePoll(getStats, 5_000);
  const queues = usePoll(getQueues, 10_000, stats.data?.dead_letters > 0);
  const source = useSource(address, config.data);
  const drawer = useDrawer(address);
  const publishing = address.panel?.[0] === "publish";
  const redriven = () => {
    if (drawer.dead) drawer.close();
    stats.refresh();
    queues.refresh();
  };
  useHotkeys({ n: () => drawer.open({ panel: "publish" }), Escape: () => escape(drawer) });
  const demo = html`<${DemoButton} onSent=${stats.refresh} />`;
  return html`<${Shell} current="Overview" live=${source.status} config=${config.data}>
    <main id="main" class="main" tabindex="-1">
      <${Title} demo=${demo} onPublish=${() => drawer.open({ panel: "publish" })} />
      <${Guard}><${Status} health=${health} stats=${stats} /><//>
      ${stats.data?.dead_letters > 0 && html`<${Guard}><${DeadLetters} queues=${queues} onRedriven=${redriven} /><//>`}
      <${Guard}><${FeedPanel} source=${source} opened=${drawer.event} auth=${config.data?.auth} demo=${demo}
        onOpen=${(event, { byKey }) => drawer.open({ event: event.id }, byKey)}
        onMove=${(event) => drawer.event && go({ event: event.id }, { replace: true })} /><//>
    </main>
    ${drawer.event && html`<${Guard} key="event"><${EventDrawer} id=${drawer.event} known=${drawer.known(source)} focus=${drawer.byKey} onClose=${drawer.close} /><//>`}
    ${drawer.dead && html`<${Guard} key="dead"><${DeadLetterDrawer} queue=${drawer.dead} onClose=${drawer.close} /><//>`}
    ${publishing && html`<${Guard} key="publish"><${PublishDrawer} onClose=${drawer.close} onPublished=${stats.refresh} /><//>`}
  <//>`;
}

function Title({ demo, onPublish }) {
  const open = (event) => {
    event.preventDefault();
    onPublish();
  };
  return html`<header class="title">
    <div><h1>Overview</h1><p class="muted">What is running, and every event as it happens.</p></div>
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

// The source follows the address; what is malformed there is left out.
function useSource(address, config) {
  const [, redraw] = useReducer((count) => count + 1, 0);
  const source = useMemo(() => new Source(redraw), []);
  const topics = splitTopics((address.topics ?? []).join(",")).filter((topic) => !patternFault(topic));
  const filters = (address.filter ?? []).filter((filter) => !filterFault(filter));
  useEffect(() => void source.show(topics, filters), [topics.join("\n"), filters.join("\n")]);
  useEffect(() => config && source.connect(config), [Boolean(config)]);
  return source;
}

// Which drawer is open is in the address; where the focus goes back to is not.
function useDrawer(address) {
  const opener = useRef(null);
  const [byKey, setByKey] = useState(false);
  const seen = useRef(null);
  const event = address.event?.[0];
  const open = (what, withKey = false) => {
    opener.current = document.activeElement;
    setByKey(withKey);
    go({ ...CLOSED, ...what });
  };
  const close = () => {
    go(CLOSED);
    const back = opener.current;
    if (back?.isConnected && (byKey || !back.matches("tr"))) back.focus({ preventScroll: true });
    else document.activeElement?.blur();
  };
  // The feed may drop an event whose drawer stays open.
  const known = (source) => {
    const found = source.feed.find(event);
    if (found || seen.current?.id !== event) seen.current = found ?? null;
    return seen.current;
  };
  return { event, dead: address.dead?.[0], panel: address.panel?.[0], byKey, open, close, known };
}

function escape(drawer) {
  if (drawer.event || drawer.dead || drawer.panel) drawer.close();
  else document.activeElement?.blur();
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Overview} />`, root);
