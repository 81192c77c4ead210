// What stands above the picture: search, choosers, legend, exports.

import { html, useEffect, useMemo, useRef, useState } from "./preact-htm.js";
import { getProjects, getText, getVersions } from "./flowapi.js";
import { placeOf } from "./flowdata.js";
import { moment } from "./flowmodel.js";
import { go, useAct, useAsk, useHotkeys } from "./hooks.js";
import { Badge, Icon, Time, exactTime, formatSpan, saveFile, toast } from "./ui.js";

const STALE_MS = 24 * 3_600_000;
export const WINDOWS = { off: "Live: off", "5m": "Live: 5 minutes", "15m": "Live: 15 minutes", "1h": "Live: 1 hour", "24h": "Live: 24 hours" };

/** Find an event or an agent; up and down walk the hits, Enter opens one. */
export function Search({ flow, onHits, onChoose }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [open, setOpen] = useState(false);
  const field = useRef();
  const hits = useMemo(() => flow?.find(text) ?? [], [flow, text]);
  useEffect(() => onHits(hits), [hits]);
  useHotkeys({ "/": () => field.current.select() });
  const choose = (node) => {
    setOpen(false);
    onChoose(node.key);
  };
  const step = (by) => setAt((at + by + hits.length) % hits.length);
  const keys = { ArrowDown: () => step(1), ArrowUp: () => step(-1), Enter: () => choose(hits[at]) };
  const press = (event) => {
    if (event.key === "Escape" && text) {
      event.stopPropagation();
      setText("");
    } else if (hits.length && keys[event.key]) {
      event.preventDefault();
      setOpen(true);
      keys[event.key]();
    }
  };
  const input = (event) => {
    setText(event.target.value);
    setAt(0);
    setOpen(true);
  };
  const shown = open && text.trim();
  return html`<div class="flow-search">
    <${Icon} name="search" />
    <input ref=${field} type="search" role="combobox" aria-label="Find an event or an agent" placeholder="Find an event or an agent  /" autocomplete="off" spellcheck=${false}
      aria-expanded=${String(Boolean(shown))} aria-controls="flow-hits" aria-activedescendant=${shown && hits[at] ? `flow-hit-${at}` : null}
      value=${text} onInput=${input} onKeyDown=${press} onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} />
    ${shown && html`<ul class="hits" id="flow-hits" role="listbox" aria-label="Found">
      ${hits.map((node, index) => html`<${Hit} node=${node} index=${index} chosen=${index === at} onChoose=${choose} />`)}
      ${!hits.length && html`<li class="muted" role="option" aria-disabled="true" aria-selected="false">Nothing of this name.</li>`}
    </ul>`}
  </div>`;
}

// The field keeps the focus: it would close the list before the click arrives.
function Hit({ node, index, chosen, onChoose }) {
  const row = useRef();
  useEffect(() => chosen && row.current.scrollIntoView({ block: "nearest" }), [chosen]);
  return html`<li ref=${row} id="flow-hit-${index}" role="option" aria-selected=${String(chosen)}
    onMouseDown=${(event) => (event.preventDefault(), onChoose(node))}><code>${node.name}</code><span class="muted">${node.kind}</span></li>`;
}

/** A switch for each namespace, and for failed and rejected events. */
export function Legend({ flow, picture, wish }) {
  const colours = useMemo(() => picture?.colours() ?? new Map(), [picture]);
  const names = useMemo(() => [...new Set([...flow.nodes.values()].map(({ namespace }) => namespace))].sort(), [flow]);
  const has = (field) => [...flow.nodes.values()].some((node) => node[field]);
  const turn = (name) => go({ off: wish.off.includes(name) ? wish.off.filter((one) => one !== name) : [...wish.off, name] }, { replace: true });
  const hide = (name) => go({ hide: wish.hide.includes(name) ? wish.hide.filter((one) => one !== name) : [...wish.hide, name] }, { replace: true });
  return html`<div class="legend" role="group" aria-label="What is shown">
    ${names.map((name) => html`<${Chip} name=${name} colour=${colours.get(name)} on=${!wish.off.includes(name)} onTurn=${() => turn(name)} />`)}
    ${names.length > 1 && html`<button type="button" class="button quiet small" onClick=${() => go({ off: wish.off.length ? null : names }, { replace: true })}>${wish.off.length ? "Show all" : "Show none"}</button>`}
    <span class="spacer"></span>
    ${["failed", "rejected"].filter(has).map((name) => html`<label class="choice"><input type="checkbox" checked=${wish.hide.includes(name)} onChange=${() => hide(name)} />Hide ${name}</label>`)}
  </div>`;
}

function Chip({ name, colour, on, onTurn }) {
  const swatch = useRef();
  useEffect(() => void (swatch.current.style.background = colour ?? ""), [colour]);
  return html`<button type="button" class="ns-chip" aria-pressed=${String(on)} title="${on ? "Hide" : "Show"} ${name}" onClick=${onTurn}><span class="swatch" ref=${swatch} aria-hidden="true"></span><span class="ns-name">${name}</span></button>`;
}

/** The projects that there are, and the branches of the one that is shown: { names, refs }. */
export function usePlaces(wish) {
  const { data } = useAsk(getProjects, "projects");
  const projects = data?.projects ?? [];
  const project = wish.project ?? "default";
  const found = projects.find((one) => one.project === project);
  return {
    names: withChosen(projects.map((one) => one.project), project),
    refs: withChosen((found?.refs ?? []).map(({ ref }) => ref), wish.ref ?? "main"),
  };
}

/** Which project and branch, where there are several. */
export function Places({ wish, places: { names, refs } }) {
  const chosen = wish.project ?? "default";
  const elsewhere = { ref: null, version: null, base: null, node: null, off: null };
  return html`${names.length > 1 && html`<select aria-label="Project" value=${chosen} onChange=${({ target }) => go({ ...elsewhere, project: target.value })}>
      ${names.map((name) => html`<option value=${name}>${name}</option>`)}</select>`}
    ${refs.length > 1 && html`<select aria-label="Branch" value=${wish.ref ?? "main"} onChange=${({ target }) => go({ ...elsewhere, ref: target.value })}>
      ${refs.map((ref) => html`<option value=${ref}>${ref}</option>`)}</select>`}`;
}

const withChosen = (names, chosen) => (names.includes(chosen) ? names : [chosen, ...names]);

/** Which version is shown, and with which it is compared. */
export function Versions({ wish, stamp, refs }) {
  const { data } = useAsk(() => (stamp ? getVersions(wish.type, { project: wish.project, ref: wish.ref }) : Promise.resolve(null)), [wish.type, wish.project, wish.ref, stamp].join("\n"));
  const versions = data?.versions ?? [];
  const others = refs.filter((ref) => ref !== (wish.ref ?? "main"));
  if (versions.length < 2 && !others.length && !wish.version && !wish.base) return null;
  const words = ({ version, timestamp, commit }) => `${version} · ${exactTime(Date.parse(moment(timestamp))).slice(0, 16)}${commit ? ` · ${commit.slice(0, 8)}` : ""}`;
  const shown = Number(wish.version ?? versions[0]?.version);
  return html`<select aria-label="Version" value=${wish.version ?? ""} onChange=${({ target }) => go({ version: target.value || null })}>
      <option value="">Latest version${versions[0] ? ` (${versions[0].version})` : ""}</option>
      ${versions.slice(1).map((one) => html`<option value=${one.version}>Version ${words(one)}</option>`)}
    </select>
    <select aria-label="Compare with" value=${wish.base ?? ""} onChange=${({ target }) => go({ base: target.value || null, panel: target.value ? "changes" : null, node: null })}>
      <option value="">Compare with …</option>
      ${versions.filter(({ version }) => version !== shown).map((one) => html`<option value=${one.version}>Against ${words(one)}</option>`)}
      ${others.map((ref) => html`<option value="${ref}@">Against ${ref}</option>`)}
    </select>`;
}

export const LiveWindow = ({ wish }) =>
  html`<select aria-label="Live traffic" value=${wish.live} onChange=${({ target }) => go({ live: target.value === "15m" ? null : target.value }, { replace: true })}>
    ${Object.entries(WINDOWS).map(([name, words]) => html`<option value=${name}>${words}</option>`)}</select>`;

/** How old the newest version is; amber after a day. */
export function Age({ known, shown }) {
  const at = moment(shown?.timestamp ?? known.timestamp);
  const past = Date.now() - Date.parse(at);
  if (shown) return html`<${Badge}>As of <${Time} value=${at} /><//>`;
  return html`<span title=${past > STALE_MS ? "The code may have moved on: scan it again." : ""}><${Badge} kind=${past > STALE_MS ? "warning" : "ok"}>${past > STALE_MS ? `Stale: scanned ${formatSpan(past / 1000)} ago` : html`Scanned <${Time} value=${at} />`}<//></span>`;
}

const FORMATS = [
  ["svg", "SVG", "image/svg+xml"],
  ["png", "PNG", "image/png"],
  ["mermaid", "Mermaid", "text/plain", "mmd"],
  ["dot", "DOT", "text/vnd.graphviz", "dot"],
  ["asyncapi", "AsyncAPI", "application/json", "asyncapi.json"],
];

/** The graph as a file. */
export function Exports({ wish, picture }) {
  const { run, busy } = useAct();
  const menu = useRef();
  const save = ([format, , media, suffix = format]) => run(async () => {
    menu.current.open = false;
    try {
      const drawn = format === "svg" || format === "png";
      const text = drawn ? svgText(picture) : await getText(wish.type, placeOf(wish), format);
      saveFile(format === "png" ? await toPng(text, picture) : new Blob([text], { type: media }), `event-flow-${wish.type}.${suffix}`);
    } catch (error) {
      toast(`It could not be exported: ${error.message}`, "failed");
    }
  });
  const leave = (event) => event.currentTarget.contains(event.relatedTarget) || (menu.current.open = false);
  return html`<details class="menu" ref=${menu} onFocusOut=${leave}>
    <summary class="button">${busy ? "Exporting …" : "Export"}</summary>
    <ul>${FORMATS.map((one) => html`<li><button type="button" disabled=${!picture} onClick=${() => save(one)}>${one[1]}</button></li>`)}</ul>
  </details>`;
}

// As it was laid out: without the marks and colours of this page.
function svgText({ svg, whole }) {
  const copy = svg.cloneNode(true);
  for (const part of copy.querySelectorAll(".overlay, .grip")) part.remove();
  for (const part of copy.querySelectorAll("[style]")) part.removeAttribute("style");
  copy.removeAttribute("preserveAspectRatio");
  copy.removeAttribute("class");
  copy.setAttribute("viewBox", [whole.x, whole.y, whole.width, whole.height].join(" "));
  copy.setAttribute("width", `${whole.width}pt`);
  copy.setAttribute("height", `${whole.height}pt`);
  return new XMLSerializer().serializeToString(copy);
}

const MOST_PIXELS = 8_000;

async function toPng(text, { whole }) {
  const scale = Math.min(2, MOST_PIXELS / Math.max(whole.width, whole.height));
  const image = new Image(whole.width, whole.height);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.ceil(whole.width * scale), height: Math.ceil(whole.height * scale) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large for this browser"))), "image/png"));
}
