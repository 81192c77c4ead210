// The picture and how one moves about in it.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { formatRate } from "./flowmodel.js";
import { useHotkeys } from "./hooks.js";
import { PanZoom } from "./panzoom.js";
import { IconButton, formatCount, plural } from "./ui.js";

const STEP = 1.3;
const STEP_PX = 60;
const KEYS = ["+", "=", "-", "0", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

/**
 * `picture` is a Picture; `told(key)` what moves on an edge; `onOpen(key)` is called with
 * the node that was clicked, or null for none. `look` is { key, round } of what to centre.
 */
export function Canvas({ picture, label, look, told, onOpen, onFit, children }) {
  const box = useRef();
  const view = useRef();
  const [tip, setTip] = useState(null);
  useLayoutEffect(() => {
    view.current = new PanZoom(box.current);
    return () => view.current.end();
  }, []);
  useLayoutEffect(() => {
    const stage = box.current.querySelector(".stage");
    stage.replaceChildren(...(picture ? [picture.svg] : []));
    setTip(null);
    if (picture) view.current.show(picture.svg, { keep: picture.keep });
  }, [picture]);
  useEffect(() => {
    const at = picture && look && picture.box(look.key);
    if (at) view.current.centre(at);
  }, [picture, look?.round]);
  const act = (event) => moved(view.current, event.key);
  const here = (event) => !["INPUT", "SELECT", "BUTTON", "A", "TR", "SUMMARY"].includes(event.target.tagName) && act(event);
  useHotkeys(Object.fromEntries(KEYS.map((key) => [key, here])));
  const click = (event) => {
    if (view.current.dragged || event.target.closest(".canvas-tools")) return;
    const part = event.target.closest?.("g.node, g.edge, g.extra");
    if (!part || part.classList.contains("node")) onOpen(part?.key ?? null);
  };
  return html`<div class="canvas" ref=${box} tabindex="0" role="group" aria-label=${label} onClick=${click}
      onPointerMove=${(event) => setTip(tipAt(picture, event, box.current, told))} onPointerLeave=${() => setTip(null)}>
    <div class="stage"></div>
    ${tip && html`<${Tip} ...${tip} />`}
    ${children}
    <div class="canvas-tools">
      <${IconButton} icon="plus" label="Nearer (+)" onClick=${() => view.current.zoom(STEP)} />
      <${IconButton} icon="minus" label="Farther (-)" onClick=${() => view.current.zoom(1 / STEP)} />
      <${IconButton} icon="fit" label="The whole picture (0)" onClick=${() => (view.current.fit(), onFit?.())} />
    </div>
  </div>`;
}

function moved(view, key) {
  const pans = { ArrowLeft: [STEP_PX, 0], ArrowRight: [-STEP_PX, 0], ArrowUp: [0, STEP_PX], ArrowDown: [0, -STEP_PX] };
  if (pans[key]) view.pan(...pans[key]);
  else if (key === "0") view.fit();
  else view.zoom(key === "-" ? 1 / STEP : STEP);
}

// Beside the pointer, but always inside of the canvas.
function tipAt(picture, event, box, told) {
  if (event.buttons || event.pointerType === "touch") return null;
  const key = picture?.keyAt(event.target);
  if (!key) return null;
  const { left, top, width, height } = box.getBoundingClientRect();
  const [x, y] = [event.clientX - left, event.clientY - top];
  return { lines: words(picture.flow, key, told(key)), x, y, atRight: x > width * 0.6, atFoot: y > height * 0.7 };
}

function words(flow, key, told) {
  const node = flow.nodes.get(key);
  if (node) return [[node.name, node.kind, node.failed && "failed", node.rejected && "rejected"].filter(Boolean).join(" · "), node.namespace];
  const edge = flow.edges.get(key) ?? told;
  const first = `${edge.agent} ${edge.kind === "publishes" ? "publishes" : "listens to"} ${edge.event}`;
  if (!told) return [first, ...(edge.sites ?? []).slice(0, 3).map(place)];
  return [first, ...trafficWords(told)];
}

/** A place in the code. */
export const place = ({ file, line }) => `${file}:${line}`;

/** What moved on an edge, in short lines. */
export function trafficWords({ count, rate, errors, p95_lag_ms: lag, last_seen: seen, state }) {
  const lines = [`${plural(count, "event")} · ${formatRate(rate)}`];
  if (errors) lines.push(`✕ ${formatCount(errors)} failed`);
  if (lag !== null && lag !== undefined) lines.push(`p95 lag ${formatCount(Math.round(lag))} ms`);
  if (seen) lines.push(`last seen ${String(seen).slice(0, 19).replace("T", " ")}`);
  if (state === "live_only") lines.push("seen live, not in the code");
  if (state === "code_only") lines.push("in the code, not seen live");
  return lines;
}

const Tip = ({ lines, x, y, atRight, atFoot }) =>
  html`<div class="tip ${atRight ? "at-right" : ""} ${atFoot ? "at-foot" : ""}" style=${{ left: `${x}px`, top: `${y}px` }} aria-hidden="true">
    ${lines.map((line, at) => (at ? html`<span class="muted">${line}</span>` : html`<strong>${line}</strong>`))}
  </div>`;
