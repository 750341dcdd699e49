// Saved policies in a row, the oldest first. Their pictures show the moment of the episode that the player shows.

class CheckpointStrip {
  #side = "right";
  #cells = []; // {cell, badge, version}
  #drawn = "";

  // pick(choice): {version, side} that somebody wants to see.
  constructor(root, pick) {
    this.root = root;
    this.pick = pick;
    this.holder = root.querySelector('[data-part="cells"]');
    this.choices = [...root.querySelectorAll("[data-side]")];
    for (const choice of this.choices) {
      choice.addEventListener("click", () => {
        this.#side = choice.dataset.side;
        this.#drawSides();
      });
    }
    this.holder.addEventListener("keydown", (event) => this.#onKey(event));
    this.onFrame = ({ detail }) => this.#showMoment(detail);
    document.addEventListener("replay-frame", this.onFrame);
    this.#drawSides();
  }

  update(data) {
    this.data = data;
    const drawn = JSON.stringify(data.checkpoints);
    const isNew = drawn !== this.#drawn;
    if (isNew) this.#draw(data);
    this.#drawn = drawn;
    for (const { cell, badge, version, about } of this.#cells) {
      const sides = ["left", "right"].filter((side) => data[side] === version);
      badge.textContent = sides.map((side) => side[0].toUpperCase() + side.slice(1)).join(" · ");
      cell.setAttribute("aria-pressed", sides.length > 0);
      cell.setAttribute("aria-label", [about, ...sides.map((side) => `shown on the ${side}`)].join(", "));
    }
    if (isNew) this.#rest();
  }

  stop() {
    document.removeEventListener("replay-frame", this.onFrame);
  }

  #draw({ checkpoints, base, moments, value_name: valueName }) {
    const values = checkpoints.map(({ value }) => value).filter((value) => value !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const range = this.root.querySelector('[data-part="range"]');
    range.textContent = values.length ? `Bars: ${valueName}, from ${shorten(low)} to ${shorten(high)}` : "";
    this.root.style.setProperty("--cs-count", moments);
    this.#showMoment(this.data.horizon_frames / 2);
    this.#cells = checkpoints.map((checkpoint) => {
      const cell = document.createElement("button");
      cell.type = "button";
      cell.className = "cs-cell";
      cell.tabIndex = -1;
      cell.innerHTML = '<span class="cs-picture"><img alt="" loading="lazy" decoding="async"></span><span class="cs-bar"><i></i></span><span></span><span class="cs-badge"></span>';
      const [picture, bar, label, badge] = ["img", "i", "span:nth-of-type(3)", ".cs-badge"].map((name) => cell.querySelector(name));
      picture.classList.toggle("cs-moments", checkpoint.has_moments);
      if (checkpoint.has_moments) {
        picture.addEventListener("load", () => {
          this.root.style.setProperty("--cs-aspect", picture.naturalWidth / moments / picture.naturalHeight);
        });
      }
      picture.src = new URL(checkpoint.picture, new URL(base || "./", document.baseURI)).href;
      const share = high > low ? (checkpoint.value - low) / (high - low) : 1;
      bar.style.setProperty("--cs-share", share.toFixed(3));
      bar.parentElement.style.visibility = checkpoint.value === null ? "hidden" : "";
      label.textContent = checkpoint.name;
      const about = checkpoint.value === null ? checkpoint.label : `${checkpoint.label}, ${valueName} ${shorten(checkpoint.value)}`;
      cell.title = about;
      cell.addEventListener("click", () => this.pick({ version: checkpoint.version, side: this.#side }));
      return { cell, badge, version: checkpoint.version, about };
    });
    this.holder.replaceChildren(...this.#cells.map(({ cell }) => cell));
  }

  // What is shown last comes into view, and is where Tab leads; without one the newest.
  #rest() {
    const shown = this.#cells.findLast(({ version }) => version === this.data.right) ?? this.#cells.at(-1);
    if (!shown) return;
    shown.cell.tabIndex = 0;
    this.holder.scrollLeft = shown.cell.offsetLeft - this.holder.offsetLeft - this.holder.clientWidth / 2;
  }

  #drawSides() {
    for (const choice of this.choices) choice.setAttribute("aria-pressed", choice.dataset.side === this.#side);
  }

  #showMoment(frame) {
    if (!this.data) return;
    const last = this.data.moments - 1;
    const moment = Math.round((last * frame) / Math.max(1, this.data.horizon_frames - 1));
    this.root.style.setProperty("--cs-moment", Math.max(0, Math.min(last, moment)));
  }

  #onKey(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#cells.findIndex(({ cell }) => cell === document.activeElement);
    const next = Math.max(0, Math.min(this.#cells.length - 1, at + steps[event.key]));
    for (const { cell } of this.#cells) cell.tabIndex = -1;
    this.#cells[next].cell.tabIndex = 0;
    this.#cells[next].cell.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

function shorten(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

const strips = new WeakMap();

export default function mount({ data, parentElement, setTriggerValue }) {
  if (!strips.has(parentElement)) {
    const root = parentElement.querySelector("[data-testid=checkpoint-strip]");
    strips.set(parentElement, new CheckpointStrip(root, (choice) => setTriggerValue("pick", choice)));
  }
  strips.get(parentElement).update(data);
  return () => {
    strips.get(parentElement)?.stop();
    strips.delete(parentElement);
  };
}
