// The form that publishes one event, and the demo that publishes a dozen.

import { html, useState } from "./preact-htm.js";
import { publish } from "./api.js";
import { go, linkTo } from "./hooks.js";
import { Drawer, ErrorPanel, Field, Id, plural, toast } from "./ui.js";

const FIRST = {
  type: "order.placed",
  payload: '{\n  "order_id": "ord_1001",\n  "total": 42.5\n}',
  priority: "5",
  source: "console",
};

export function PublishDrawer({ onClose, onPublished }) {
  const [draft, setDraft] = useState(FIRST);
  const [outcome, setOutcome] = useState({});
  const [busy, setBusy] = useState(false);
  const faults = faultsOf(draft);
  const set = (name) => (event) => setDraft({ ...draft, [name]: event.target.value });
  const submit = async (event) => {
    event.preventDefault();
    if (busy || Object.keys(faults).length) return;
    setBusy(true);
    setOutcome(await send(draft));
    setBusy(false);
    onPublished();
  };
  const hurry = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && submit(event);
  const format = () => setDraft({ ...draft, payload: JSON.stringify(JSON.parse(draft.payload), null, 2) });
  const wrong = (name) => faults[name] ?? (outcome.error?.details?.field === name ? outcome.error.message : null);
  return html`<${Drawer} title="Publish an event" label="Publish an event" onClose=${onClose} focus=${true}>
    <form class="publish" onSubmit=${submit} onKeyDown=${hurry} novalidate>
      <${Field} label="Type" hint="a dotted topic" id="pub-type" fault=${wrong("type")}>
        <input id="pub-type" class="mono" autofocus spellcheck=${false} autocomplete="off" required value=${draft.type} onInput=${set("type")} ...${described("type", wrong)} />
      <//>
      <${Field} label="Payload" hint="JSON" id="pub-payload" fault=${wrong("payload")}>
        <textarea id="pub-payload" class="mono" rows="10" spellcheck=${false} value=${draft.payload} onInput=${set("payload")} ...${described("payload", wrong)} />
      <//>
      <div class="pair">
        <${Field} label="Priority" hint="1 low – 10 high" id="pub-priority" fault=${wrong("priority")}>
          <input id="pub-priority" type="number" min="1" max="10" step="1" value=${draft.priority} onInput=${set("priority")} ...${described("priority", wrong)} />
        <//>
        <${Field} label="Source" hint="optional" id="pub-source" fault=${wrong("source")}>
          <input id="pub-source" class="mono" spellcheck=${false} autocomplete="off" value=${draft.source} onInput=${set("source")} ...${described("source", wrong)} />
        <//>
      </div>
      ${outcome.error && html`<${ErrorPanel} title="Not published" error=${outcome.error} />`}
      ${outcome.id && html`<${Published} id=${outcome.id} />`}
      <footer class="form-foot">
        <button type="button" class="button" disabled=${Boolean(faults.payload)} onClick=${format}>Format JSON</button>
        <button type="submit" class="button primary" disabled=${busy || Object.keys(faults).length > 0} title="Ctrl+Enter">${busy ? "Publishing …" : "Publish"}</button>
      </footer>
    </form>
  <//>`;
}

const described = (name, wrong) => (wrong(name) ? { "aria-invalid": "true", "aria-describedby": `pub-${name}-fault` } : {});

function Published({ id }) {
  const open = (event) => {
    event.preventDefault();
    go({ event: id, panel: null });
  };
  return html`<p class="published" role="status"><span class="ok" aria-hidden="true">✓</span> Published <${Id} value=${id} />
    <a href=${linkTo({ event: id, panel: null })} onClick=${open}>Open</a></p>`;
}

async function send({ type, payload, priority, source }) {
  const event = { type: type.trim(), payload: JSON.parse(payload), priority: Number(priority) };
  if (source.trim()) event.source = source.trim();
  try {
    return { id: (await publish(event)).event_id };
  } catch (error) {
    return { error };
  }
}

function faultsOf({ type, payload, priority }) {
  const faults = { type: type.trim() ? null : "A type is needed, such as order.placed.", payload: jsonFault(payload) };
  const level = Number(priority);
  if (!Number.isInteger(level) || level < 1 || level > 10) faults.priority = "Priority is a whole number from 1 to 10.";
  return Object.fromEntries(Object.entries(faults).filter(([, fault]) => fault));
}

function jsonFault(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return `This is not JSON yet: ${error.message}`;
  }
}

/** Publish a dozen plausible events in one commit; tells by toast how it went. */
export async function sendDemo() {
  try {
    const { count, events } = await publish(demoEvents());
    toast(`${plural(count ?? events.length, "demo event")} published`);
  } catch (error) {
    toast(`The demo events were not published: ${error.message} (${error.code})`, "failed");
  }
}

function demoEvents() {
  const order = `ord_${1000 + Math.floor(Math.random() * 9000)}`;
  const user = `usr_${1000 + Math.floor(Math.random() * 9000)}`;
  const total = Math.round(2_000 + Math.random() * 18_000) / 100;
  const story = [
    ["user.created", { user_id: user, name: "Ada Okafor", plan: "team", country: "NG" }, 5, "accounts"],
    ["user.email.verified", { user_id: user, email: "ada@example.com" }, 3, "accounts"],
    ["cart.item.added", { user_id: user, sku: "TEA-250", quantity: 2, price: 7.9 }, 2, "shop"],
    ["cart.item.added", { user_id: user, sku: "MUG-BLUE", quantity: 1, price: 12.5 }, 2, "shop"],
    ["order.placed", { order_id: order, user_id: user, total, currency: "EUR", items: [{ sku: "TEA-250", quantity: 2 }, { sku: "MUG-BLUE", quantity: 1 }] }, 7, "shop"],
    ["payment.authorized", { order_id: order, amount: total, method: "card", last4: "4242" }, 7, "payments"],
    ["fraud.check.passed", { order_id: order, score: 0.04, rules: ["velocity", "country"] }, 6, "risk"],
    ["payment.captured", { order_id: order, amount: total, fee: Math.round(total * 1.4) / 100 }, 8, "payments"],
    ["stock.reserved", { order_id: order, warehouse: "AMS-2", lines: 2 }, 5, "warehouse"],
    ["shipment.created", { order_id: order, carrier: "PostNL", tracking: `3SX${order.slice(4)}NL`, address: { city: "Utrecht", postcode: "3511 AB" } }, 5, "warehouse"],
    ["notification.sent", { user_id: user, channel: "email", template: "order-confirmed" }, 2, "notify"],
    ["stock.low", { sku: "MUG-BLUE", left: 3, threshold: 5 }, 9, "warehouse"],
  ];
  return story.map(([type, payload, priority, source]) => ({ type, payload, priority, source, correlation_id: order }));
}
