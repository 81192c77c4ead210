// A real <table> that renders only the rows in sight, and is walked by keyboard.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { useMedia } from "./hooks.js";

const ROW = 32;
const TALL_ROW = 40;
const SPARE = 8;

/**
 * `columns` are { name, class, cell(row) }, with a `hint`, or a `head` in the place of
 * the name; a link with data-own in a cell goes its own way. Rows have a stable `keyOf(row)`.
 *
 * `opened` is the key of the row whose details are shown. Tells `onReading` whether
 * someone is in the middle of it: scrolled away, pointing at it or in it by keyboard.
 */
export function Table({ label, columns, rows, keyOf, classOf, opened, onOpen, onMove, onReading, foot, boxRef }) {
  const own = useRef();
  const box = boxRef ?? own;
  const [view, setView] = useState({ top: 0, height: 600 });
  const [active, setActive] = useState(null);
  const row = useMedia("(max-width: 720px)") ? TALL_ROW : ROW;
  useSize(box, setView);
  useReading(box, view.top, onReading);
  useFocusMove(box, active);

  const first = Math.max(0, Math.min(rows.length, Math.floor(view.top / row)) - SPARE);
  const shown = rows.slice(first, first + Math.ceil(view.height / row) + 2 * SPARE);
  const entry = shown.some((one) => keyOf(one) === active?.key) ? active.key : shown[0] && keyOf(shown[0]);

  const moveTo = (index) => {
    const target = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (!target) return;
    scrollTo(box.current, rows.indexOf(target), row);
    setView((before) => ({ ...before, top: box.current.scrollTop }));
    setActive({ key: keyOf(target), move: true });
    onMove?.(target);
  };
  const press = (event) => {
    if (!event.target.matches("tr, .scroll")) return;
    const at = rows.findIndex((one) => keyOf(one) === entry);
    const page = Math.floor(view.height / row) - 2;
    const to = target(event, at, page, rows.length);
    if (to === null && event.key !== "Enter") return;
    event.preventDefault();
    if (to === null) onOpen(rows[at], { byKey: true });
    else moveTo(event.target.matches("tr") ? to : at);
  };

  return html`<div class="scroll" ref=${box} onKeyDown=${press} onScroll=${() => setView((before) => ({ ...before, top: box.current.scrollTop }))}>
    <table aria-label=${label} aria-rowcount=${rows.length + 1}>
      <thead><tr aria-rowindex="1">${columns.map((column) => html`<th scope="col" class=${column.class} title=${column.hint}>${column.head ?? column.name}</th>`)}</tr></thead>
      <tbody>
        <${Gap} rows=${first} height=${row} />
        ${shown.map((one, index) => html`<${Row} key=${keyOf(one)} one=${one} id=${keyOf(one)} columns=${columns}
          index=${first + index + 2} entry=${keyOf(one) === entry} opened=${keyOf(one) === opened} mark=${classOf?.(one)}
          onFocus=${() => setActive({ key: keyOf(one), move: false })} onOpen=${onOpen} />`)}
        <${Gap} rows=${rows.length - first - shown.length} height=${row} />
      </tbody>
    </table>
    ${foot}
  </div>`;
}

function Row({ one, id, columns, index, entry, opened, mark, onFocus, onOpen }) {
  const open = (event) => {
    if (event.target.closest("button, input, label, a[data-own]") || event.ctrlKey || event.metaKey || getSelection().type === "Range") return;
    event.preventDefault();
    event.currentTarget.focus({ preventScroll: true });
    onOpen(one, { byKey: false });
  };
  return html`<tr data-key=${id} tabindex=${entry ? 0 : -1} aria-rowindex=${index} aria-current=${opened ? "true" : null}
    class=${mark} onFocus=${onFocus} onClick=${open}>
    ${columns.map((column) => html`<td key=${column.name} class=${column.class}>${column.cell(one)}</td>`)}
  </tr>`;
}

// Stands for the rows out of sight.
function Gap({ rows, height }) {
  if (rows <= 0) return null;
  return html`<tr class="gap" aria-hidden="true"><td style=${{ height: `${rows * height}px` }}></td></tr>`;
}

function target(event, at, page, length) {
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: length - 1 };
  return Object.hasOwn(steps, event.key) ? steps[event.key] : null;
}

function scrollTo(box, index, row) {
  const head = box.querySelector("thead").offsetHeight;
  const top = index * row;
  if (top < box.scrollTop) box.scrollTop = index === 0 ? 0 : top;
  else if (top + row + head > box.scrollTop + box.clientHeight) box.scrollTop = top + row + head - box.clientHeight;
}

function useSize(box, setView) {
  useEffect(() => {
    const observer = new ResizeObserver(() => setView({ top: box.current.scrollTop, height: box.current.clientHeight }));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
}

// A row reached by keyboard may have been rendered only now: focus it then.
function useFocusMove(box, active) {
  useLayoutEffect(() => {
    if (!active?.move) return;
    const rows = [...box.current.querySelectorAll("tr[data-key]")];
    rows.find((row) => row.dataset.key === active.key)?.focus({ preventScroll: true });
  }, [active]);
}

function useReading(box, top, onReading) {
  const [pointing, setPointing] = useState(false);
  const [focused, setFocused] = useState(false);
  useEffect(() => {
    const on = { pointerover: overRows, pointerleave: () => setPointing(false), focusin: inside, focusout: inside };
    function overRows(event) {
      setPointing(event.pointerType === "mouse" && Boolean(event.target.closest("tbody")));
    }
    function inside(event) {
      setFocused(event.type === "focusin" && event.target.matches("tr"));
    }
    const node = box.current;
    for (const [name, listen] of Object.entries(on)) node.addEventListener(name, listen);
    return () => Object.entries(on).forEach(([name, listen]) => node.removeEventListener(name, listen));
  }, []);
  const reading = top > 4 ? "scrolled" : pointing ? "pointing" : focused ? "focused" : "";
  useEffect(() => onReading?.(reading), [reading]);
}
