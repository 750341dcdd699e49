// The replay player: one or two recorded clips on one clock. They are streamed, so that long ones begin at once.

class ReplayPlayer {
  #abort = new AbortController();

  // ask(moments): sends two moments to be compared. before: the player whose place this one takes, if any.
  constructor(root, { clips, base, max_clip_height: maxHeight, start_frame: startFrame, share }, { ask, before }) {
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
    if (share) this.#offerActs(share, ask);
    root.addEventListener("keydown", (event) => this.#onKey(event));
    keepFocusOnClick(root);
    this.#start(clips.map((clip) => this.#addClip(clip)), this.#beginning(startFrame, before));
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
    for (const video of this.root.querySelectorAll("video")) unload(video);
  }

  say(text) {
    this.root.querySelector('[data-part="said"]').textContent = text;
  }

  // Whoever looks at a frame and changes the clips wants to see that moment of the others.
  #beginning(startFrame, before) {
    const moves = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!before?.clock.frames) return { frame: startFrame ?? 0, rate: 1, play: moves && startFrame === null };
    const { frame, rate, playing } = before.clock;
    return { frame: playing ? 0 : frame, rate, play: playing };
  }

  async #start(figures, { frame, rate, play }) {
    const { signal } = this.#abort;
    const loads = figures.map(({ video, address }) => streamVideo(video, address, signal));
    const results = await Promise.allSettled(loads);
    if (signal.aborted) return;
    const failed = figures.filter((_, index) => results[index].status === "rejected");
    for (const { label } of failed) {
      label.classList.add("rp-problem");
      label.textContent += ": this clip could not be loaded";
    }
    this.root.dataset.state = failed.length ? "failed" : "ready";
    if (failed.length) return;
    const videos = figures.map(({ video }) => video);
    this.root.style.setProperty("--rp-aspect", (videos[0].videoWidth / videos[0].videoHeight).toFixed(4));
    this.clock.setRate(rate);
    this.clock.attach(videos, this.clips, { play: false });
    if (frame) await this.clock.seek(frame);
    if (play && !signal.aborted) this.clock.play();
  }

  #offerActs(query, ask) {
    const acts = this.root.querySelector('[data-part="acts"]');
    const say = (text) => this.say(text);
    acts.hidden = false;
    const { clips, clock, transport } = this;
    new Moments(this.root, { clips, clock, transport, say, send: ask });
    new Sharing(this.root, { clock, query, say });
  }

  #addClip(clip) {
    const address = new URL(clip.url, this.base).href;
    const figure = document.createElement("figure");
    figure.className = "rp-clip";
    figure.innerHTML = '<div class="rp-screen"><video></video></div><figcaption class="rp-caption"><b></b><a>Download</a><i></i></figcaption>';
    const [video, label, note, link] = ["video", "b", "i", "a"].map((name) => figure.querySelector(name));
    label.textContent = clip.label;
    note.textContent = clip.note ?? "";
    link.href = address;
    link.download = `${clip.label.replace(/[^\p{L}\p{N}]+/gu, "-")}.mp4`;
    link.setAttribute("aria-label", `Download ${clip.label}`);
    if (clip.takeover) note.after(this.#takeoverButton(clip));
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
    this.root.classList.toggle("rp-waiting", this.clock.waiting);
    const [left, right = ""] = this.clock.shownFrames;
    if (this.root.dataset.frameLeft === String(left) && this.root.dataset.frameRight === String(right)) return;
    [this.root.dataset.frameLeft, this.root.dataset.frameRight] = [left, right];
    document.dispatchEvent(new CustomEvent("replay-frame", { detail: this.clock.frame }));
  }
}

const players = new WeakMap();

// Called by Streamlit at every change of data or theme; only other clips start the player anew.
export default function mount({ data, parentElement, setTriggerValue }) {
  const clips = JSON.stringify(data.clips);
  const known = players.get(parentElement);
  if (known?.clips !== clips) {
    const ask = (moments) => setTriggerValue("moments", moments);
    const template = known?.template ?? parentElement.querySelector("[data-testid=replay-player]");
    const root = template.cloneNode(true); // fresh controls: nothing listens twice
    (known?.root ?? template).replaceWith(root);
    const player = new ReplayPlayer(root, data, { ask, before: known?.player });
    known?.player.stop();
    players.set(parentElement, { clips, template, root, player, reply: data.reply });
  } else if (known.reply !== data.reply) {
    known.reply = data.reply;
    known.player.say(data.reply.slice(data.reply.indexOf(":") + 1));
  }
  const shown = players.get(parentElement);
  if (shown.trace !== data.trace) shown.player.showTrace((shown.trace = data.trace));
  return () => {
    players.get(parentElement)?.player.stop();
    players.delete(parentElement);
  };
}
