// How a repository is connected: what GitHub wants to know, and what has come from it.

import { html } from "./preact-htm.js";
import { getWebhookDeliveries, retryWebhookDelivery } from "./api.js";
import { ROOT, useAct, usePoll } from "./hooks.js";
import { Badge, Command, CopyButton, Drawer, ErrorPanel, Time } from "./ui.js";

const POLL_MS = 3_000;
const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\]|.+\.localhost)$/;
const SECRET = "EVENTYARD_GITHUB_SECRET";
const EVENTS = ["Pull requests", "Pull request reviews", "Check runs", "Check suites", "Workflow runs", "Workflow jobs", "Statuses", "Pushes"];
const NAMES = "pull_request,pull_request_review,check_run,check_suite,workflow_run,workflow_job,status,push";

/** The steps, and the last deliveries, so that one sees whether it works. */
export function ConnectDrawer({ focus, onClose }) {
  const url = new URL(`${ROOT}webhook`, location.href).href;
  return html`<${Drawer} title="Connect a repository" label="Connect a repository" onClose=${onClose} focus=${focus}>
    <div class="connect">
      <p>GitHub can tell this address of everything that happens to the pull requests of a repository, or of a whole organisation. A secret signs what it sends; without one nothing is accepted. Make one, and give it to Eventyard when it starts:</p>
      <${Command} text=${`export ${SECRET}=$(openssl rand -hex 32)`} />
      <p>Then, at GitHub, in <strong>Settings → Webhooks → Add webhook</strong>:</p>
      <dl class="facts">
        <${Given} name="Payload URL" value=${url} />
        <${Given} name="Content type" value="application/json" />
        <div><dt>Secret</dt><dd><span>the value of <code>${SECRET}</code></span></dd></div>
        <div><dt>Events</dt><dd><span>${EVENTS.join(", ")}</span></dd></div>
      </dl>
      ${LOOPBACK.test(location.hostname) && html`<p>GitHub cannot reach this machine. Its command line can bring events here while it runs:</p>
        <${Command} text=${`gh webhook forward --repo=OWNER/NAME --events=${NAMES} \\\n  --url=${url} --secret="$${SECRET}"`} />`}
      <${Deliveries} />
    </div>
  <//>`;
}

const Given = ({ name, value }) =>
  html`<div><dt>${name}</dt><dd><span>${value}</span><${CopyButton} text=${value} label="Copy ${name}" /></dd></div>`;

// The first sign that it works is GitHub's ping.
function Deliveries() {
  const poll = usePoll(getWebhookDeliveries, POLL_MS);
  if (poll.error?.status === 403) return null; // Not everybody may see them.
  const rows = poll.data?.deliveries;
  return html`<h3>What has come</h3>
    ${poll.error && html`<${ErrorPanel} title="The deliveries could not be read" error=${poll.error} onRetry=${poll.refresh} />`}
    ${rows && (rows.length ? html`<ul class="deliveries">${rows.map((one) => html`<${Delivery} key=${one.id} one=${one} onDone=${poll.refresh} />`)}</ul>` : html`<p class="muted">Nothing yet: GitHub sends a ping as soon as the webhook is there.</p>`)}`;
}

const STATES = { open: ["running", "Waits"], done: ["ok", "Done"], dead: ["failed", "Given up"] };

function Delivery({ one, onDone }) {
  const { run, busy, error } = useAct();
  const [kind, words] = STATES[one.state] ?? ["quiet", one.state];
  const retry = () => run(async () => onDone(await retryWebhookDelivery(one.id)));
  return html`<li>
    <p class="marks"><${Badge} kind=${kind}>${words}<//><code>${[one.event, one.action].filter(Boolean).join(".")}</code><span class="muted"><bdi>${one.repository}</bdi> · <${Time} value=${one.received_at} /></span>
      ${one.state === "dead" && html`<button type="button" class="button small" disabled=${busy} onClick=${retry}>Retry</button>`}</p>
    ${one.reason && html`<p class="muted"><bdi>${one.reason}</bdi></p>`}
    ${error && html`<${ErrorPanel} error=${error} />`}
  </li>`;
}
