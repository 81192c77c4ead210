// From DOT to a picture that may stand in the page: laid out in a worker, then cleaned.

import "./dompurify.js";

const LONGEST_MS = 30_000;
const FORBIDDEN = ["style", "script", "image", "use", "foreignObject", "animate", "set", "animateTransform", "animateMotion", "filter"];
const MANY = 120;
const KINDS = new Set(["graph", "node", "edge", "cluster", "event", "agent", "failed", "rejected", "test"]);
const waiting = new Map();
let worker = null;
let asked = 0;

/**
 * DOT from which many nodes are drawn well. Names are wider than high, so from left to
 * right needs less room; boxes around namespaces stretch a large picture to a thread.
 */
export const turned = (dot, nodes) => (nodes > MANY ? dot.replace(/\brankdir="?TB"?/, "rankdir=LR clusterrank=none") : dot);

/** Lay DOT out as the text of an SVG; rejects where Graphviz cannot, or takes too long. */
export function layOut(dot) {
  worker ??= begin();
  const id = ++asked;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(`The layout took longer than ${LONGEST_MS / 1000} seconds.`), LONGEST_MS);
    waiting.set(id, { resolve, reject, timer });
    worker.postMessage({ id, dot });
  });
}

function begin() {
  const made = new Worker(new URL("./flowworker.js", import.meta.url), { type: "module" });
  made.onmessage = ({ data: { id, svg, fault } }) => settle(id, svg, fault);
  made.onerror = () => end("The layout engine could not be started in this browser.");
  return made;
}

// A worker that hangs or failed is of no more use to anybody.
function end(fault) {
  worker?.terminate();
  worker = null;
  for (const id of [...waiting.keys()]) settle(id, null, fault);
}

function settle(id, svg, fault) {
  const { resolve, reject, timer } = waiting.get(id) ?? {};
  waiting.delete(id);
  clearTimeout(timer);
  if (fault) reject?.(new Error(fault));
  else resolve?.(svg);
}

/**
 * Make elements of an SVG's text, without anything that acts, loads or styles.
 *
 * Each group tells in `key` who it is (its id, else its title); ids and classes of
 * strangers are taken off, so that they cannot pass for parts of the page.
 */
export function cleanSvg(text) {
  const clean = globalThis.DOMPurify.sanitize(text.slice(Math.max(0, text.indexOf("<svg"))), {
    USE_PROFILES: { svg: true },
    FORBID_TAGS: FORBIDDEN,
    FORBID_ATTR: ["style", "href", "xlink:href", "tabindex"],
    RETURN_DOM_FRAGMENT: true,
  });
  const svg = clean.querySelector("svg");
  if (!svg) throw new Error("The picture holds no SVG.");
  for (const part of svg.querySelectorAll("*")) tame(part);
  return svg;
}

function tame(part) {
  const title = part.localName === "g" ? [...part.children].find(({ localName }) => localName === "title") : null;
  if (part.localName === "g") part.key = { id: part.id, title: title?.textContent ?? "" };
  title?.remove();
  if (!part.localName.endsWith("Gradient")) part.removeAttribute("id");
  const kept = [...part.classList].filter((name) => KINDS.has(name));
  if (kept.length) part.setAttribute("class", kept.join(" "));
  else part.removeAttribute("class");
  for (const name of ["xlink:title", "title"]) part.removeAttribute(name);
}
