// What pointer, wheel and fingers do on the canvas: point at dots, draw a line, move, zoom. Spots are CSS pixels of it.

const HOVER_MS = 70;
const TAP = 6; // pixels that a finger or a mouse may slip without drawing anything

class Gestures {
  #pointers = new Map();
  #line = null;
  #travelled = 0;
  #hover = 0;

  // acts: onPoint(spot or null), onTap(spot), onLine(path), onMove(dx, dy), onZoom(factor, x, y); drawn: the line's SVG path.
  constructor(canvas, drawn, acts) {
    Object.assign(this, { canvas, drawn, acts });
    this.mode = "lasso";
    canvas.addEventListener("pointerdown", (event) => this.#onDown(event));
    canvas.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.#onUp(event));
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !this.#pointers.size && this.#pointAt(null));
    canvas.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
  }

  stop() {
    clearTimeout(this.#hover);
  }

  #spot(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #onDown(event) {
    if (event.button > 0) return;
    clearTimeout(this.#hover);
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const spot = this.#spot(event);
    this.#pointers.set(event.pointerId, spot);
    this.#draw(this.#pointers.size === 1 && this.mode === "lasso" ? [spot] : null);
    this.#travelled = 0;
  }

  #onMove(event) {
    const [spot, before] = [this.#spot(event), this.#pointers.get(event.pointerId)];
    if (!before) {
      this.#pointAt(spot);
      return;
    }
    this.#travelled += Math.hypot(spot[0] - before[0], spot[1] - before[1]);
    if (this.#pointers.size === 2) this.#pinch(event.pointerId, before, spot);
    else if (this.#line) this.#draw([...this.#line, spot]);
    else this.acts.onMove(spot[0] - before[0], spot[1] - before[1]);
    this.#pointers.set(event.pointerId, spot);
  }

  // Two fingers move and zoom, whatever one does.
  #pinch(id, before, spot) {
    const other = [...this.#pointers].find(([key]) => key !== id)[1];
    const [was, is] = [before, spot].map(([x, y]) => Math.hypot(x - other[0], y - other[1]));
    this.acts.onZoom(is / Math.max(1, was), (spot[0] + other[0]) / 2, (spot[1] + other[1]) / 2);
    this.acts.onMove((spot[0] - before[0]) / 2, (spot[1] - before[1]) / 2);
  }

  #onUp(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const path = this.#line && `${pathOf(this.#line)}Z`;
    this.#draw(null);
    if (event.type === "pointercancel") return;
    if (this.#travelled < TAP) this.acts.onTap(this.#spot(event));
    else if (path) this.acts.onLine(path);
  }

  #draw(line) {
    this.#line = line;
    if (line) this.drawn.setAttribute("d", `${pathOf(line)}Z`);
    else this.drawn.removeAttribute("d");
  }

  #pointAt(spot) {
    clearTimeout(this.#hover);
    this.#hover = setTimeout(() => this.acts.onPoint(spot), HOVER_MS);
  }

  // Over a map that nobody works with the wheel goes on scrolling the page.
  #onWheel(event) {
    if (!event.ctrlKey && document.activeElement !== this.canvas) return;
    event.preventDefault();
    this.acts.onZoom(Math.exp(-event.deltaY / 300), ...this.#spot(event));
  }
}

function pathOf(line) {
  return line.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}
