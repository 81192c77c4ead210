// Moving about in a picture: wheel, drag, pinch, and what buttons and keys ask for. The
// picture's viewBox is what moves, so that it is sharp at every size.

const NEAREST = 12;
const CLICK_PX = 4;
const FIT_AT_MOST = 1.5;
const MARGIN = 24;
const READABLE_PX = 3.5;
const FONT = 10;

export class PanZoom {
  constructor(box) {
    this.box = box;
    this.touches = new Map();
    this.dragged = false;
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    box.addEventListener("pointerdown", (event) => this.down(event));
    box.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) box.addEventListener(name, (event) => this.up(event));
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(box);
  }

  end() {
    this.watch.disconnect();
    cancelAnimationFrame(this.frame);
  }

  /** Show this SVG; `keep` leaves the view where it is. */
  show(svg, { keep = false } = {}) {
    const { x, y, width, height } = svg.viewBox.baseVal ?? {};
    const known = width > 0 && height > 0;
    this.whole = known ? { x, y, w: width, h: height } : { x: 0, y: 0, w: svg.width.baseVal.value || 1, h: svg.height.baseVal.value || 1 };
    this.svg = svg;
    for (const [name, value] of [["width", "100%"], ["height", "100%"], ["preserveAspectRatio", "xMinYMin meet"]]) svg.setAttribute(name, value);
    if (keep && this.view) this.apply();
    else this.fit();
  }

  size() {
    return { w: this.box.clientWidth || 1, h: this.box.clientHeight || 1 };
  }

  /** The whole picture, but no larger than is good to look at. */
  fit() {
    if (!this.svg) return;
    const { w, h } = this.size();
    const scale = Math.min((w - 2 * MARGIN) / this.whole.w, (h - 2 * MARGIN) / this.whole.h, FIT_AT_MOST);
    this.least = Math.max(scale, 0.001) / 4;
    this.fitted = true;
    this.look(this.whole.x + this.whole.w / 2, this.whole.y + this.whole.h / 2, Math.max(scale, 0.001));
  }

  /** Look at a place of the picture. */
  look(x, y, scale = this.view.scale) {
    const { w, h } = this.size();
    this.view = { x: x - w / 2 / scale, y: y - h / 2 / scale, scale };
    this.apply();
  }

  /** Bring a place to the middle, near enough to read. */
  centre({ x, y, width, height }) {
    this.fitted = false;
    this.look(x + width / 2, y + height / 2, Math.max(this.view.scale, 1));
  }

  zoom(factor, at = this.middle()) {
    if (!this.svg) return;
    const { x, y, scale } = this.view;
    const next = Math.min(NEAREST, Math.max(this.least, scale * factor));
    this.fitted = false;
    this.view = { x: x + at.x / scale - at.x / next, y: y + at.y / scale - at.y / next, scale: next };
    this.apply();
  }

  pan(dx, dy) {
    if (!this.svg) return;
    const { x, y, scale } = this.view;
    this.fitted = false;
    this.view = { x: x - dx / scale, y: y - dy / scale, scale };
    this.apply();
  }

  middle() {
    const { w, h } = this.size();
    return { x: w / 2, y: h / 2 };
  }

  resized() {
    if (!this.svg) return;
    if (this.fitted) this.fit();
    else this.apply();
  }

  // At most once a frame, however fast the wheel turns.
  apply() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const { w, h } = this.size();
      const { x, y, scale } = this.view;
      this.svg.setAttribute("viewBox", `${x} ${y} ${w / scale} ${h / scale}`);
      this.box.classList.toggle("far", FONT * scale < READABLE_PX);
    });
  }

  place({ clientX, clientY }) {
    const { left, top } = this.box.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), this.place(event));
  }

  down(event) {
    if (event.button || event.target.closest("button")) return;
    this.touches.set(event.pointerId, this.place(event));
    this.dragged = false;
    this.start = this.place(event);
  }

  move(event) {
    const before = this.touches.get(event.pointerId);
    if (!before) return;
    const now = this.place(event);
    if (!this.dragged && Math.hypot(now.x - this.start.x, now.y - this.start.y) < CLICK_PX) return;
    if (!this.dragged) this.box.setPointerCapture(event.pointerId);
    this.dragged = true;
    const other = [...this.touches].find(([id]) => id !== event.pointerId)?.[1];
    this.touches.set(event.pointerId, now);
    if (!other) return void this.pan(now.x - before.x, now.y - before.y);
    const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
    this.zoom(apart(now) / apart(before), other);
  }

  up(event) {
    this.touches.delete(event.pointerId);
  }
}
