// The bar under the clips: play, step, scrub, speed; and the keys that do the same.

class Transport {
  #resume = false;
  #drawn = {};

  constructor(root, clock, { onToggle } = {}) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.clock = clock;
    this.onToggle = onToggle ?? (() => {});
    this.root = part("transport");
    this.playButton = part("play");
    this.playText = part("play-text");
    this.scrub = part("scrub");
    this.time = part("time");
    this.tick = part("mark");
    this.controls = [this.playButton, part("back"), part("forward"), this.scrub];
    this.playButton.addEventListener("click", () => this.toggle());
    part("back").addEventListener("click", () => clock.step(-1));
    part("forward").addEventListener("click", () => clock.step(1));
    this.#listenToScrub();
    this.rateButtons = RATES.map((rate) => this.#addRateButton(part("rates"), rate));
  }

  toggle() {
    this.clock.toggle();
    this.onToggle(this.clock.playing);
  }

  // Redraws what changed since the last frame; called by the clock.
  draw() {
    const { clock } = this;
    const on = clock.videos.length > 0;
    this.#once("on", on, () => {
      for (const control of this.controls) setEnabled(control, on);
      if (!on) this.time.textContent = this.#drawn.position = "";
    });
    this.#once("playing", clock.playing, () => {
      this.root.classList.toggle("pb-playing", clock.playing);
      this.playText.textContent = clock.playing ? "Pause" : "Play";
    });
    this.#once("rate", clock.rate, () => {
      this.rateButtons.forEach((button, index) => button.setAttribute("aria-pressed", RATES[index] === clock.rate));
    });
    if (!on) return;
    const { frame, frames, fps } = clock;
    this.#once("frames", frames, () => (this.scrub.max = frames - 1));
    this.#once("position", `${frame}/${frames}`, () => {
      this.scrub.value = frame;
      this.scrub.style.setProperty("--pb-done", `${frames > 1 ? (100 * frame) / (frames - 1) : 100}%`);
      this.scrub.setAttribute("aria-valuetext", `Frame ${frame + 1} of ${frames}`);
      this.time.textContent = `${(frame / fps).toFixed(1)} / ${(frames / fps).toFixed(1)} s`;
    });
  }

  // Puts a tick on the scrub bar at a frame; null takes it away.
  mark(frame) {
    this.tick.hidden = frame === null;
    if (frame !== null) this.tick.style.setProperty("--pb-at", frame / Math.max(1, this.clock.frames - 1));
  }

  // True when the key was one of ours.
  handleKey(key) {
    const action = {
      " ": () => this.toggle(),
      ",": () => this.clock.step(-1),
      ".": () => this.clock.step(1),
      "[": () => this.clock.changeRate(-1),
      "-": () => this.clock.changeRate(-1),
      "]": () => this.clock.changeRate(1),
      "+": () => this.clock.changeRate(1),
      "=": () => this.clock.changeRate(1),
    }[key];
    if (!action || !this.clock.videos.length) return false;
    action();
    return true;
  }

  #once(name, value, change) {
    if (this.#drawn[name] === value) return;
    this.#drawn[name] = value;
    change();
  }

  #listenToScrub() {
    this.scrub.addEventListener("pointerdown", () => {
      this.#resume = this.clock.playing;
      this.clock.pause();
    });
    this.scrub.addEventListener("input", () => {
      const wanted = Number(this.scrub.value); // pausing draws the bar where the clips are
      this.clock.pause();
      this.clock.seek(wanted);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.scrub.addEventListener(name, () => {
        this.scrub.blur(); // so that the arrow keys answer again; focus that came by Tab stays
        if (this.#resume) this.clock.play();
        this.#resume = false;
      });
    }
  }

  #addRateButton(parent, rate) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pb-button pb-rate";
    button.textContent = `${rate}×`;
    button.addEventListener("click", () => this.clock.setRate(rate));
    parent.append(button);
    return button;
  }
}

// Not the attribute `disabled`: it would take the focus away from whoever is on the control.
function setEnabled(control, on) {
  control.setAttribute("aria-disabled", !on);
}

// Clicks must not move the focus: a focused button would swallow the space bar. Tab still focuses.
function keepFocusOnClick(root) {
  root.addEventListener("mousedown", (event) => {
    if (event.target.closest("button")) event.preventDefault();
  });
}

// True when the key press belongs to someone else: a text field, a menu, a dialog, a browser shortcut.
// shift: whether Shift with this key is ours; signs such as "+" and "?" may need it anyhow.
function belongsElsewhere(event, { shift = false } = {}) {
  if (event.defaultPrevented || event.repeat || event.isComposing) return true;
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  if (event.shiftKey && !shift && !/^[^\p{L}\p{N} ]$/u.test(event.key)) return true;
  if (document.querySelector('[role="dialog"], [role="alertdialog"], dialog[open]')) return true;
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (!target.checkVisibility()) return false; // the field of a dialog just closed, focused until the next frame
  if (target.isContentEditable || target.closest("textarea, select")) return true;
  if (target.closest("input:not([type=button], [type=submit], [type=reset])")) return true;
  if (target.closest(ARROW_WIDGETS)) return true;
  const pressable = target.closest("button, a[href], summary, [role=button], [role=link], [role=checkbox]");
  return event.key === " " && pressable !== null;
}

const ARROW_WIDGETS = ["combobox", "grid", "listbox", "menu", "menuitem", "option", "radio", "slider", "spinbutton", "tab", "tree"]
  .map((role) => `[role=${role}]`)
  .join(", ");
