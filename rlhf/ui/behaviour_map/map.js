// The map: loads its points, and turns pointer, wheel, touch and keys into looking, choosing and moving around.

const REACH = 14; // pixels to a dot that is pointed at
const ALIKE = 24; // dots that Enter chooses
const STEP = 10; // pixels to the dot that an arrow key goes to, at least

class BehaviourMap {
  #abort = new AbortController();

  constructor(root, data) {
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.root = root;
    this.base = new URL(data.base || "./", document.baseURI);
    this.run = data.run;
    this.canvas = this.part("canvas");
    this.card = this.part("card");
    this.tile = new ClipTile();
    this.card.append(this.tile.root);
    this.cardFinder = new ClipFinder(this.base, data.run);
    this.cloud = new Cloud(this.canvas, (ms) => this.#onDraw(ms));
    this.chosen = new Chosen(root, { base: this.base, run: data.run, finder: new ClipFinder(this.base, data.run) });
    this.focused = -1;
    this.#listen();
    this.#watchSize();
    this.load(data.map);
  }

  stop() {
    this.#abort.abort();
    this.resizing.disconnect();
    this.gestures.stop();
    this.cloud.stop();
    this.cardFinder.stop();
    this.chosen.finder.stop();
    for (const tile of [this.tile, ...this.chosen.tiles]) tile.stop();
  }

  async load(id) {
    this.id = id;
    const query = new URLSearchParams({ run: this.run, map: id });
    try {
      const reply = await fetch(new URL(`api/map?${query}`, this.base), { signal: this.#abort.signal });
      if (reply.status === 404) return; // a newer one has taken its place: its name is on the way
      if (!reply.ok) throw new Error(`The server answered ${reply.status}.`);
      const points = new Points(await reply.arrayBuffer());
      if (id === this.id) this.#show(points);
    } catch (error) {
      if (error.name !== "AbortError" && !this.points) this.#cover(`The map could not be loaded. ${error.message}`, "failed");
    }
  }

  // The theme may be another one now.
  redraw() {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    probe.fillStyle = getComputedStyle(this.root).getPropertyValue("--st-background-color").trim() || "#fff";
    probe.fillRect(0, 0, 1, 1);
    this.cloud.background = [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    this.cloud.invalidate();
  }

  #show(points) {
    const kept = this.#chosenPieces();
    this.points = points;
    this.part("axis-x").textContent = points.axes[0];
    this.part("axis-y").textContent = points.axes[1];
    const share = Math.round(100 * (points.explained[0] + points.explained[1]));
    this.part("explained").textContent = `The two directions hold ${share}% of how the stretches differ.`;
    this.canvas.setAttribute("aria-label", `Map of ${points.length} stretches of behaviour`);
    this.cloud.resize();
    this.cloud.show(points.places);
    this.#setColourings();
    this.redraw();
    this.#cover("", "ready");
    this.root.dataset.points = points.length;
    this.root.dataset.map = this.id;
    this.#focus(-1);
    if (kept) this.choose(this.#indicesOf(kept), { isSame: true });
  }

  // What is chosen stays chosen on a newer map.
  #chosenPieces() {
    return this.chosen.indices.length ? new Set(this.chosen.indices.map((index) => this.points.piece(index))) : null;
  }

  #indicesOf(pieces) {
    return Array.from({ length: this.points.length }, (_, index) => index).filter((index) => pieces.has(this.points.piece(index)));
  }

  #cover(text, state) {
    const cover = this.part("cover");
    cover.textContent = text;
    cover.hidden = !text;
    this.root.dataset.state = state;
  }

  #setColourings() {
    const colourings = this.points.colourings();
    const buttons = colourings.map((colouring) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "pb-button bm-choice";
      button.textContent = colouring.name;
      button.addEventListener("click", () => this.#colourBy(colouring));
      return button;
    });
    this.part("colourings").replaceChildren(...buttons);
    this.#colourBy(colourings.find(({ name }) => name === this.colouring?.name) ?? colourings[0]);
  }

  #colourBy(colouring) {
    this.colouring = colouring;
    this.root.dataset.colouring = colouring.name;
    for (const button of this.part("colourings").children) button.setAttribute("aria-pressed", button.textContent === colouring.name);
    this.cloud.colours = colouring.colours();
    this.part("legend").replaceChildren(...colouring.legend());
    this.cloud.invalidate();
  }

  choose(indices, { isSame = false } = {}) {
    if (indices.length) {
      this.cloud.chosen = new Uint8Array(this.points.length);
      for (const index of indices) this.cloud.chosen[index] = 1;
    } else this.cloud.chosen = null;
    this.root.dataset.chosen = indices.length;
    this.chosen.show(this.points, indices, isSame);
    this.cloud.invalidate();
  }

  #focus(index) {
    this.focused = index;
    this.root.dataset.focused = index < 0 ? "" : index;
    this.#placeCard();
    if (index < 0) {
      this.cardFinder.stop();
      this.tile.stop();
      return;
    }
    const piece = this.points.piece(index);
    this.tile.stop();
    this.cardFinder.find([piece], (known) => {
      if (this.focused !== index) return;
      this.tile.show(known.get(piece), this.points.describe(index), this.base);
      this.#placeCard();
    });
  }

  #placeCard() {
    const ring = this.part("ring");
    ring.hidden = this.card.hidden = this.focused < 0;
    if (this.focused < 0) return;
    const [x, y] = this.cloud.at(this.focused);
    [ring.style.left, ring.style.top] = [`${x}px`, `${y}px`];
    const { offsetWidth: width, offsetHeight: height } = this.card;
    const left = x + 18 + width < this.cloud.width ? x + 18 : x - 18 - width;
    this.card.style.left = `${Math.max(4, Math.min(this.cloud.width - width - 4, left))}px`;
    this.card.style.top = `${Math.max(4, Math.min(this.cloud.height - height - 4, y - height / 2))}px`;
  }

  #onDraw(ms) {
    this.root.dataset.drawMs = ms.toFixed(1);
    if (this.focused >= 0) this.#placeCard();
  }

  #watchSize() {
    this.resizing = new ResizeObserver(() => {
      this.cloud.resize();
      if (this.points) this.cloud.invalidate();
    });
    this.resizing.observe(this.part("stage"));
  }

  #listen() {
    const { canvas } = this;
    const on = (target, type, act, options) => target.addEventListener(type, act, options);
    keepFocusOnClick(this.root);
    this.gestures = new Gestures(canvas, this.part("lasso"), {
      onPoint: (spot) => this.#pointAt(spot),
      onTap: (spot) => this.points && this.#focus(this.cloud.nearest(...spot, 2 * REACH)),
      onLine: (path) => this.points && this.choose(this.cloud.inside(path)),
      onMove: (dx, dy) => this.points && this.cloud.move(dx, dy),
      onZoom: (factor, x, y) => this.points && this.cloud.zoom(factor, x, y),
    });
    on(canvas, "keydown", (event) => this.#onKey(event));
    on(this.part("closer"), "click", () => this.points && this.cloud.zoom(1.5));
    on(this.part("farther"), "click", () => this.points && this.cloud.zoom(1 / 1.5));
    on(this.part("fit"), "click", () => this.points && this.cloud.fit());
    on(this.part("clear"), "click", () => this.choose([]));
    for (const button of this.part("modes").children) on(button, "click", () => this.#setMode(button.dataset.mode));
  }

  #setMode(mode) {
    this.gestures.mode = mode;
    this.root.classList.toggle("bm-moving", mode === "move");
    for (const button of this.part("modes").children) button.setAttribute("aria-pressed", button.dataset.mode === mode);
  }

  #pointAt(spot) {
    const found = spot && this.points ? this.cloud.nearest(...spot, REACH) : -1;
    if (found !== this.focused) this.#focus(found);
  }

  #onKey(event) {
    if (!this.points || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const acts = {
      "+": () => this.cloud.zoom(1.5),
      "=": () => this.cloud.zoom(1.5),
      "-": () => this.cloud.zoom(1 / 1.5),
      0: () => this.cloud.fit(),
      Enter: () => this.focused >= 0 && this.choose(this.cloud.around(this.focused, ALIKE)),
      Escape: () => (this.focused >= 0 ? this.#focus(-1) : this.choose([])),
    };
    const arrow = arrows[event.key];
    if (arrow) this.#goTo(arrow);
    else if (acts[event.key]) acts[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #goTo(arrow) {
    const { width, height } = this.cloud;
    const from = this.focused >= 0 ? this.focused : this.cloud.nearest(width / 2, height / 2, Math.hypot(width, height));
    this.#focus(this.focused >= 0 ? this.cloud.next(from, ...arrow, STEP) : from);
  }
}

const maps = new WeakMap();

// Called by Streamlit at every change of data or theme.
export default function mount({ data, parentElement }) {
  const known = maps.get(parentElement);
  if (!known) {
    const root = parentElement.querySelector("[data-testid=behaviour-map]");
    maps.set(parentElement, new BehaviourMap(root, data));
  } else if (known.id !== data.map) known.load(data.map);
  else known.redraw();
  return () => {
    maps.get(parentElement)?.stop();
    maps.delete(parentElement);
  };
}
