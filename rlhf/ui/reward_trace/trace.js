// The reward under the clips of a player: curves with a cursor on the player's clock, and what made them.

const TRACE_MARKUP = `
  <div class="tr-head">
    <span class="tr-title" data-trace="title">Predicted reward</span>
    <span class="tr-legend" data-trace="legend"></span>
    <span class="tr-modes" role="group" aria-label="Show the reward">
      <button type="button" class="pb-button" data-trace="each" aria-pressed="true">Each step</button>
      <button type="button" class="pb-button" data-trace="sum" aria-pressed="false">Added up</button>
    </span>
  </div>
  <div class="tr-plot" data-trace="plot" tabindex="0" role="slider" aria-label="Predicted reward by frame" aria-valuemin="0"
    aria-keyshortcuts="ArrowLeft ArrowRight ArrowUp ArrowDown" title="Click to jump. Arrow keys: left and right go by a frame, up and down from peak to peak."></div>
  <p class="tr-note" data-trace="note" role="status">Loading the reward…</p>
  <table class="tr-reasons" hidden>
    <caption data-trace="why"></caption>
    <tbody data-trace="reasons"></tbody>
  </table>`;

class RewardTrace {
  #abort = new AbortController();
  #addsUp = false;
  #drawn = "";

  // clips: the player's, {label, fps, frames}; clock: what they follow. Appends itself to the player.
  constructor(root, clock, clips) {
    this.clock = clock;
    this.clips = clips;
    this.root = document.createElement("figure");
    this.root.className = "tr-root";
    this.root.dataset.testid = "reward-trace";
    this.root.setAttribute("aria-label", "Predicted reward under the clips");
    this.root.innerHTML = TRACE_MARKUP;
    const part = (name) => this.root.querySelector(`[data-trace="${name}"]`);
    [this.legend, this.note, this.why] = ["legend", "note", "why"].map(part);
    [this.eachButton, this.sumButton] = ["each", "sum"].map(part);
    this.table = this.root.querySelector("table");
    this.slider = part("plot");
    this.plot = new TracePlot(this.slider, (frame) => this.#seek(frame));
    this.reasons = new TraceReasons(part("reasons"));
    this.slider.addEventListener("keydown", (event) => this.#onKey(event));
    this.eachButton.addEventListener("click", () => this.#setMode(false));
    this.sumButton.addEventListener("click", () => this.#setMode(true));
    this.frames = Math.max(...clips.map(({ frames }) => frames));
    this.fps = clips.find(({ frames }) => frames === this.frames).fps;
    this.slider.setAttribute("aria-valuemax", this.frames - 1);
    this.#setState("loading");
    root.append(this.root);
  }

  stop() {
    this.#abort.abort();
    this.plot.stop();
    this.root.remove();
  }

  // Shows what is found at an address, instead of what is shown now.
  async load(address) {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    try {
      const response = await fetch(address, { signal });
      const found = await response.json();
      if (!response.ok) throw new Error(found.error ?? `the server answered ${response.status}`);
      this.found = found;
      this.#showAll();
      this.#setState("ready");
      this.draw();
    } catch (error) {
      if (signal.aborted) return;
      this.note.textContent = `The reward could not be loaded: ${error.message}`;
      this.#setState("failed");
    }
  }

  // Follows the clock; called at each of its ticks.
  draw() {
    if (!this.found || !this.clock.videos.length) return;
    const { frame, shownFrames } = this.clock;
    const drawn = `${frame}/${shownFrames}/${this.#addsUp}`;
    if (this.#drawn === drawn) return;
    this.#drawn = drawn;
    const steps = this.found.clips.map((clip, index) => this.#stepOf(clip, shownFrames[index]));
    this.plot.moveTo(frame, steps);
    this.reasons.moveTo(steps);
    const values = this.curves.map(({ mean }, index) => signedNumber(mean[steps[index]]));
    this.amounts.forEach((amount, index) => writeText(amount, values[index]));
    const said = this.clips.map(({ label }, index) => `${label}: ${values[index]}`).join(", ");
    this.slider.setAttribute("aria-valuenow", frame);
    this.slider.setAttribute("aria-valuetext", `Frame ${frame + 1} of ${this.frames}: ${said}`);
    this.root.dataset.frame = frame;
  }

  #showAll() {
    const { clips, features, version } = this.found;
    this.curves = clips.map((clip, index) => ({
      ...overMembers(this.#addsUp ? clip.members.map(runningSum) : clip.members),
      endedAt: clip.endedAt,
      scale: this.fps / this.clips[index].fps / clip.stepsPerFrame,
    }));
    this.plot.show(this.curves, this.frames, { withPeaks: !this.#addsUp });
    this.reasons.show(features, clips, { addsUp: this.#addsUp });
    this.legend.replaceChildren(...this.clips.map(({ label }, index) => legendEntry(label, index)));
    this.amounts = [...this.legend.querySelectorAll("b")];
    const members = clips[0].members.length;
    writeText(
      this.note,
      `Reward version ${version}. 0 is an average step, 1 a standard deviation above it. ` +
        (members > 1 ? `The band is how far the model's ${members} members differ.` : ""),
    );
    writeText(this.why, this.#addsUp ? "What each feature has added to the sum so far" : "What each feature adds at this frame");
    this.#drawn = "";
  }

  #stepOf(clip, frame) {
    return Math.min(frame * clip.stepsPerFrame, clip.members[0].length - 1);
  }

  #setMode(addsUp) {
    this.#addsUp = addsUp;
    this.eachButton.setAttribute("aria-pressed", !addsUp);
    this.sumButton.setAttribute("aria-pressed", addsUp);
    if (!this.found) return;
    this.#showAll();
    this.draw();
  }

  #setState(state) {
    this.root.dataset.state = state;
    this.slider.hidden = state !== "ready";
    this.table.hidden = state !== "ready";
  }

  #seek(frame) {
    this.clock.pause(); // whoever points at a moment wants to look at it
    this.clock.seek(frame);
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { clock, frames } = this;
    const toPeak = (direction) => this.#seek(this.plot.peakFrom(clock.frame, direction) ?? clock.frame);
    const action = {
      ArrowLeft: () => clock.step(-1),
      ArrowRight: () => clock.step(1),
      ArrowUp: () => toPeak(1),
      ArrowDown: () => toPeak(-1),
      PageUp: () => clock.step(Math.ceil(frames / 10)),
      PageDown: () => clock.step(-Math.ceil(frames / 10)),
      Home: () => this.#seek(0),
      End: () => this.#seek(frames - 1),
      " ": () => clock.toggle(),
    }[event.key];
    if (!action || !clock.videos.length) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}

// Mean and standard deviation of each step over the members.
function overMembers(members) {
  const mean = members[0].map((_, step) => members.reduce((sum, values) => sum + values[step], 0) / members.length);
  const spread = mean.map((middle, step) =>
    Math.sqrt(members.reduce((sum, values) => sum + (values[step] - middle) ** 2, 0) / members.length),
  );
  return { mean, spread };
}

function legendEntry(label, index) {
  const entry = document.createElement("span");
  entry.className = `tr-entry tr-clip-${index}`;
  entry.append(document.createElement("i"), `${label}: `, document.createElement("b"));
  return entry;
}
