// One clip that plays in a loop, whole or a part of a longer one, with a line under it.

class ClipTile {
  #animation = 0;
  #clip = null;

  constructor() {
    this.root = document.createElement("figure");
    this.root.className = "bm-tile";
    this.root.innerHTML = '<div class="bm-screen"><video hidden></video><p></p></div><figcaption></figcaption>';
    [this.screen, this.video, this.note, this.caption] = ["div", "video", "p", "figcaption"].map((name) => this.root.querySelector(name));
    this.video.muted = this.video.playsInline = true;
    this.video.preload = "auto";
    this.video.addEventListener("loadeddata", () => {
      this.screen.style.aspectRatio = `${this.video.videoWidth} / ${this.video.videoHeight}`;
      this.video.hidden = false;
      this.note.textContent = "";
      this.root.dataset.state = "ready";
    });
    this.video.addEventListener("error", () => this.#clip && this.#say("This clip could not be loaded.", "failed"));
  }

  // clip: what the server says of it, or undefined while that is not known.
  show(clip, text, base) {
    this.caption.textContent = text;
    if (!clip?.url) {
      this.stop();
      this.#say(clip ? (clip.problem ?? "Being drawn…") : "", clip?.problem ? "failed" : "waiting");
      return;
    }
    if (this.#clip?.url === clip.url && this.#clip.first === clip.first) return;
    this.#clip = clip;
    this.video.hidden = true;
    this.root.dataset.state = "loading";
    this.video.setAttribute("aria-label", text);
    this.video.src = new URL(clip.url, base).href;
    this.video.currentTime = (clip.first + 0.01) / clip.fps;
    this.#loop();
  }

  stop() {
    cancelAnimationFrame(this.#animation);
    this.#clip = null;
    this.video.removeAttribute("src");
    this.video.load();
    this.video.hidden = true;
    this.note.textContent = "";
  }

  #say(words, state) {
    this.note.textContent = words;
    this.root.dataset.state = state;
  }

  // By hand, as a part of a longer clip has no loop of its own.
  #loop() {
    cancelAnimationFrame(this.#animation);
    const { first, last, fps } = this.#clip;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still) this.video.play().catch(() => {});
    const tick = () => {
      const { video } = this;
      if (video.ended || video.currentTime >= (last + 1) / fps) {
        video.currentTime = (first + 0.01) / fps;
        if (!still) video.play().catch(() => {});
      }
      this.#animation = requestAnimationFrame(tick);
    };
    this.#animation = requestAnimationFrame(tick);
  }
}

// Asks the server where clips are, and again while some are being drawn. An answer is asked for once.
class ClipFinder {
  #known = new Map();
  #timer = 0;

  constructor(base, run) {
    Object.assign(this, { base, run });
  }

  // Calls back with {piece: clip} now, with what is known, and each time more is.
  async find(pieces, onFound) {
    clearTimeout(this.#timer);
    const missing = pieces.filter((piece) => !this.#known.get(piece)?.url);
    onFound(this.#known);
    if (!missing.length) return;
    try {
      const { clips } = await post(this.base, "api/map/clips", { run: this.run, pieces: missing });
      clips.forEach((clip, index) => this.#known.set(missing[index], clip ?? { problem: "It is not stored any more." }));
    } catch (error) {
      missing.forEach((piece) => this.#known.set(piece, { problem: error.message, isPassing: true }));
    }
    onFound(this.#known);
    const waits = missing.some((piece) => !this.#known.get(piece).url && !this.#known.get(piece).problem);
    if (waits) this.#timer = setTimeout(() => this.find(pieces, onFound), 1500);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}

async function post(base, path, body) {
  const headers = { "Content-Type": "application/json", "X-Preference-Studio": "1" };
  const reply = await fetch(new URL(path, base), { method: "POST", headers, body: JSON.stringify(body) });
  const data = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(data.error ?? `The server answered ${reply.status}.`);
  return data;
}
