// Curves over the frames of the clips, each with the band that the members of the model leave open.

const PLOT_HEIGHT = 150;
const PLOT_SPACE = { left: 42, right: 12, top: 16, bottom: 8 };
const PEAK_SHARE = 0.05; // a peak is the farthest from the middle within this share of the clip on either side
const PEAK_HEIGHT = 0.1; // of what the axis spans; less is noise
const MOST_PEAKS = 8;

class TracePlot {
  #curves = [];
  #dots = [];

  // seek: called with the frame that somebody points at.
  constructor(holder, seek) {
    this.holder = holder;
    this.seek = seek;
    this.svg = svgPart("svg", { class: "tr-svg", height: PLOT_HEIGHT, "aria-hidden": "true" });
    holder.replaceChildren(this.svg);
    holder.addEventListener("pointerdown", (event) => this.#onPointer(event));
    holder.addEventListener("pointermove", (event) => {
      if (holder.hasPointerCapture(event.pointerId)) seek(this.#frameAt(event.clientX));
    });
    this.resizes = new ResizeObserver(() => this.#draw());
    this.resizes.observe(holder);
  }

  stop() {
    this.resizes.disconnect();
  }

  // curves: [{mean, spread, endedAt, scale}], a number per step; scale: frames of the common axis in a step.
  show(curves, frames, { withPeaks }) {
    this.frames = frames;
    this.range = rangeOf(curves);
    const least = PEAK_HEIGHT * (this.range.high - this.range.low);
    this.#curves = curves.map((curve) => ({ ...curve, peaks: withPeaks ? peaksOf(curve.mean, least) : [] }));
    this.#draw();
  }

  // Puts the cursor at a frame and each curve's dot at the step that its clip shows.
  moveTo(frame, steps) {
    this.at = { frame, steps };
    if (!this.cursor) return;
    for (const name of ["x1", "x2"]) this.cursor.setAttribute(name, this.#x(frame));
    this.#curves.forEach((curve, index) => {
      this.#dots[index].setAttribute("cx", this.#x(steps[index] * curve.scale));
      this.#dots[index].setAttribute("cy", this.#y(curve.mean[steps[index]]));
    });
  }

  // The nearest frame of a peak before (-1) or after (+1) a frame, or null.
  peakFrom(frame, direction) {
    const frames = this.#curves.flatMap(({ peaks, scale }) => peaks.map((step) => Math.floor(step * scale)));
    const beyond = frames.filter((peak) => (peak - frame) * direction > 0);
    return beyond.length ? direction * Math.min(...beyond.map((peak) => peak * direction)) : null;
  }

  #draw() {
    this.width = this.holder.clientWidth;
    if (!this.#curves.length || !this.width) return;
    this.svg.setAttribute("width", this.width);
    this.#dots = this.#curves.map((_, index) => svgPart("circle", { class: `tr-dot tr-clip-${index}`, r: 4 }));
    this.cursor = svgPart("line", { class: "tr-cursor", y1: PLOT_SPACE.top, y2: PLOT_HEIGHT - PLOT_SPACE.bottom });
    this.svg.replaceChildren(
      ...this.#curves.flatMap((curve, index) => this.#ended(curve, index)),
      ...ticksOf(this.range).flatMap((value) => this.#tick(value)),
      ...this.#curves.map((curve, index) => this.#band(curve, index)),
      ...this.#curves.map((curve, index) => this.#line(curve, index)),
      this.cursor,
      ...this.#curves.flatMap((curve, index) => curve.peaks.flatMap((step) => this.#peak(curve, index, step))),
      ...this.#dots,
    );
    if (this.at) this.moveTo(this.at.frame, this.at.steps);
  }

  #x(frame) {
    const share = frame / Math.max(1, this.frames - 1);
    return PLOT_SPACE.left + share * (this.width - PLOT_SPACE.left - PLOT_SPACE.right);
  }

  #y(value) {
    const share = (value - this.range.low) / (this.range.high - this.range.low);
    return PLOT_HEIGHT - PLOT_SPACE.bottom - share * (PLOT_HEIGHT - PLOT_SPACE.top - PLOT_SPACE.bottom);
  }

  #frameAt(clientX) {
    const { left } = this.holder.getBoundingClientRect();
    const inner = this.width - PLOT_SPACE.left - PLOT_SPACE.right;
    return Math.round(((clientX - left - PLOT_SPACE.left) / inner) * (this.frames - 1));
  }

  #onPointer(event) {
    if (event.button !== 0 || !this.#curves.length) return;
    this.holder.setPointerCapture(event.pointerId);
    this.seek(Number(event.target.dataset.frame ?? this.#frameAt(event.clientX)));
  }

  #points(curve, values) {
    return values.map((value, step) => `${this.#x(step * curve.scale).toFixed(1)},${this.#y(value).toFixed(1)}`);
  }

  #line(curve, index) {
    return svgPart("polyline", { class: `tr-line tr-clip-${index}`, points: this.#points(curve, curve.mean).join(" ") });
  }

  #band(curve, index) {
    const edge = (sign) => this.#points(curve, curve.mean.map((value, step) => value + sign * curve.spread[step]));
    return svgPart("polygon", { class: `tr-band tr-clip-${index}`, points: [...edge(1), ...edge(-1).reverse()].join(" ") });
  }

  #ended(curve, index) {
    if (curve.endedAt === null) return [];
    const x = this.#x(curve.endedAt * curve.scale);
    const height = PLOT_HEIGHT - PLOT_SPACE.top - PLOT_SPACE.bottom;
    const width = Math.max(2, this.width - PLOT_SPACE.right - x);
    const shade = svgPart("rect", { class: `tr-ended tr-clip-${index}`, x, y: PLOT_SPACE.top, width, height });
    const side = x > 0.6 * this.width ? { x: x - 4, "text-anchor": "end" } : { x: x + 4 };
    const text = svgPart("text", { class: `tr-ended-text tr-clip-${index}`, y: PLOT_SPACE.top + 11 + 13 * index, ...side });
    text.textContent = "episode over";
    return [shade, text];
  }

  #peak(curve, index, step) {
    const at = { cx: this.#x(step * curve.scale), cy: this.#y(curve.mean[step]), "data-frame": Math.floor(step * curve.scale) };
    return [
      svgPart("circle", { class: `tr-peak tr-clip-${index}`, r: 3, ...at }),
      svgPart("circle", { class: "tr-peak-target", r: 11, ...at }), // what a finger can hit
    ];
  }

  #tick(value) {
    const y = this.#y(value);
    const line = svgPart("line", { class: value === 0 ? "tr-zero" : "tr-grid", x1: PLOT_SPACE.left, x2: this.width - PLOT_SPACE.right, y1: y, y2: y });
    const text = svgPart("text", { class: "tr-tick", x: PLOT_SPACE.left - 6, y: y + 4, "text-anchor": "end" });
    text.textContent = `${value}`.replace("-", "−");
    return [line, text];
  }
}

function svgPart(name, attributes) {
  const part = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
  return part;
}

// Lowest and highest value of all bands, zero among them.
function rangeOf(curves) {
  let [low, high] = [0, 0];
  for (const { mean, spread } of curves) {
    mean.forEach((value, step) => {
      low = Math.min(low, value - spread[step]);
      high = Math.max(high, value + spread[step]);
    });
  }
  return high - low < 1e-6 ? { low: -1, high: 1 } : { low, high };
}

// Two to five round numbers within a range.
function ticksOf({ low, high }) {
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.7);
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(6)));
}

// Steps at which a curve is farther from its middle than usual, than `least`, and than all steps nearby.
function peaksOf(values, least) {
  const middle = values.reduce((sum, value) => sum + value, 0) / values.length;
  const far = values.map((value) => Math.abs(value - middle));
  const usual = Math.max(least, Math.sqrt(far.reduce((sum, value) => sum + value * value, 0) / values.length));
  const reach = Math.max(2, Math.round(PEAK_SHARE * values.length));
  const highest = far.flatMap((value, step) => {
    const around = far.slice(Math.max(0, step - reach), step + reach + 1);
    const before = far.slice(Math.max(0, step - reach), step);
    return value > usual && value >= Math.max(...around) && !before.includes(value) ? [step] : [];
  });
  return highest.sort((one, other) => far[other] - far[one]).slice(0, MOST_PEAKS);
}
