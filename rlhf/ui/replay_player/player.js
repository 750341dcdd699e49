// The replay player: one or two recorded clips on one clock.

class ReplayPlayer {
  #listeners = new AbortController();

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
    this.videos = clips.map((clip) => this.#addClip(clip));
    root.addEventListener("keydown", (event) => this.#onKey(event), { signal: this.#listeners.signal });
    keepFocusOnClick(root);
    this.#start();
  }

  stop() {
    this.stopped = true;
    this.#listeners.abort();
    this.clock.detach();
    this.transport.draw();
    for (const video of this.videos) {
      video.removeAttribute("src");
      video.load();
    }
  }

  async #start() {
    const loaded = await Promise.all(this.videos.map((video) => video.loaded));
    if (this.stopped) return;
    this.root.dataset.state = loaded.every(Boolean) ? "ready" : "failed";
    if (this.root.dataset.state === "failed") return;
    const [first] = this.videos;
    this.root.style.setProperty("--rp-aspect", (first.videoWidth / first.videoHeight).toFixed(4));
    const play = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.clock.attach(this.videos, this.clips, { play });
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
    video.muted = video.playsInline = true;
    video.preload = "auto";
    video.setAttribute("aria-label", clip.label);
    if (clip.poster) video.poster = new URL(clip.poster, this.base).href;
    video.loaded = new Promise((resolve) => {
      video.addEventListener("loadeddata", () => resolve(true), { once: true });
      video.addEventListener("error", () => resolve(false), { once: true });
    });
    video.addEventListener("error", () => {
      if (this.stopped) return;
      label.className = "rp-problem";
      label.textContent = `${clip.label}: this clip could not be loaded`;
    });
    video.src = address;
    this.holder.append(figure);
    return video;
  }

  #onKey(event) {
    if (belongsElsewhere(event) || !this.transport.handleKey(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #onTick() {
    this.transport.draw();
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
  return () => {
    players.get(parentElement)?.player.stop();
    players.delete(parentElement);
  };
}
