// The replay player: one or two recorded clips on one clock.

class ReplayPlayer {
  #abort = new AbortController();

  constructor(root, { clips, base, max_clip_height: maxHeight }) {
    this.root = root;
    this.clips = clips;
    this.base = new URL(base || "./", document.baseURI);
    this.holder = root.querySelector('[data-part="clips"]');
    this.clock = new Clock(() => this.#onTick());
    this.transport = new Transport(root, this.clock);
    root.style.setProperty("--rp-max-height", `${maxHeight}px`);
    this.holder.style.setProperty("--rp-count", clips.length);
    this.holder.replaceChildren();
    root.dataset.state = "loading";
    this.objectUrls = [];
    root.addEventListener("keydown", (event) => this.#onKey(event));
    keepFocusOnClick(root);
    this.#start(clips.map((clip) => this.#addClip(clip)));
  }

  // Draws the reward found at an address under the clips; without an address, none.
  showTrace(address) {
    if (address) {
      this.trace ??= new RewardTrace(this.root, this.clock, this.clips);
      this.trace.load(new URL(address, this.base));
    } else {
      this.trace?.stop();
      this.trace = null;
    }
  }

  stop() {
    this.#abort.abort();
    this.trace?.stop();
    this.clock.detach();
    this.transport.draw();
    for (const objectUrl of this.objectUrls) URL.revokeObjectURL(objectUrl);
  }

  async #start(figures) {
    const { signal } = this.#abort;
    const loads = figures.map(({ video, address }) => loadVideo(video, address, signal));
    const results = await Promise.allSettled(loads);
    this.objectUrls = results.flatMap(({ value }) => value ?? []);
    if (signal.aborted) return this.stop();
    const failed = figures.filter((_, index) => results[index].status === "rejected");
    for (const { label } of failed) {
      label.classList.add("rp-problem");
      label.textContent += ": this clip could not be loaded";
    }
    this.root.dataset.state = failed.length ? "failed" : "ready";
    if (failed.length) return;
    const videos = figures.map(({ video }) => video);
    this.root.style.setProperty("--rp-aspect", (videos[0].videoWidth / videos[0].videoHeight).toFixed(4));
    const play = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.clock.attach(videos, this.clips, { play });
  }

  #addClip(clip) {
    const address = new URL(clip.url, this.base).href;
    const figure = document.createElement("figure");
    figure.className = "rp-clip";
    figure.innerHTML = '<div class="rp-screen"><video></video></div><figcaption class="rp-caption"><span></span><a download>Download</a></figcaption>';
    const [video, label, link] = ["video", "span", "a"].map((name) => figure.querySelector(name));
    label.textContent = clip.label;
    link.href = address;
    link.setAttribute("aria-label", `Download ${clip.label}`);
    if (clip.takeover) link.before(this.#takeoverButton(clip));
    video.muted = video.playsInline = true;
    video.setAttribute("aria-label", clip.label);
    if (clip.poster) video.poster = new URL(clip.poster, this.base).href;
    this.holder.append(figure);
    return { video, label, address };
  }

  // Goes on by hand from the frame that is shown.
  #takeoverButton(clip) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pb-button rp-takeover";
    button.textContent = "Take over from here";
    button.addEventListener("click", () => {
      this.clock.pause();
      const frame = this.clock.shownFrames[this.clips.indexOf(clip)] ?? 0;
      location.assign(new URL(`${clip.takeover}&frame=${frame}`, this.base));
    });
    return button;
  }

  #onKey(event) {
    if (belongsElsewhere(event) || !this.transport.handleKey(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #onTick() {
    this.transport.draw();
    this.trace?.draw();
    [this.root.dataset.frameLeft, this.root.dataset.frameRight = ""] = this.clock.shownFrames;
  }
}

const players = new WeakMap();

// Called by Streamlit at every change of data or theme; only other clips start the player anew.
export default function mount({ data, parentElement }) {
  const clips = JSON.stringify(data.clips);
  const known = players.get(parentElement);
  if (known?.clips !== clips) {
    known?.player.stop();
    const template = known?.template ?? parentElement.querySelector("[data-testid=replay-player]");
    const root = template.cloneNode(true); // fresh controls: nothing listens twice
    (known?.root ?? template).replaceWith(root);
    players.set(parentElement, { clips, template, root, player: new ReplayPlayer(root, data) });
  }
  const shown = players.get(parentElement);
  if (shown.trace !== data.trace) shown.player.showTrace((shown.trace = data.trace));
  return () => {
    players.get(parentElement)?.player.stop();
    players.delete(parentElement);
  };
}
