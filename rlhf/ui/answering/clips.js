// Clips that are shown together: fetched, decoded and laid over the others in the stage, invisible until their turn.

const LOAD_RETRY_S = [1, 2, 4, 8];

class ClipSet {
  #abort = new AbortController();
  #objectUrls = [];
  // id: its own; queries: those that its clips are of; names: what the clips are called; reason: why they are shown.
  // onSettled(set): it became ready, failed, or needs another try.
  constructor({ id, queries, clips, names, reason }, { resolve, stage, onSettled }) {
    Object.assign(this, { id, queries, clips, names, reason });
    this.resolve = resolve;
    this.stage = stage;
    this.onSettled = onSettled;
    this.state = "idle"; // idle -> loading -> ready | failed
    this.stuck = false; // no connection at the last try: others may go first
    this.root = null;
    this.frames = []; // the element around each clip
    this.videos = [];
    this.tags = [];
  }

  get queryIds() {
    return this.queries.map((query) => query.query_id);
  }

  get ready() {
    return this.state === "ready";
  }

  async load() {
    if (this.state !== "idle") return;
    this.state = "loading";
    this.#build();
    for (let attempt = 0; ; attempt += 1) {
      try {
        await Promise.all(this.clips.map((clip, index) => this.#loadClip(clip, index)));
        this.state = "ready";
        this.stuck = false;
        break;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (error instanceof Refusal) {
          this.state = "failed";
          break;
        }
        this.stuck = true;
        this.onSettled(this);
        await new Promise((wake) => setTimeout(wake, 1000 * LOAD_RETRY_S[Math.min(attempt, LOAD_RETRY_S.length - 1)]));
        if (this.#abort.signal.aborted) return;
      }
    }
    this.onSettled(this);
  }

  // Whether it may be asked for next: then its picture is kept ready for the screen.
  setWarm(warm) {
    this.root?.classList.toggle("pp-warm", warm);
  }

  show() {
    this.root.classList.add("pp-shown");
    this.root.classList.remove("pp-warm");
    this.root.removeAttribute("aria-hidden");
  }

  nameClips(names) {
    this.videos.forEach((video, index) => video.setAttribute("aria-label", names[index]));
  }

  hide() {
    this.root?.classList.remove("pp-shown");
    this.root?.setAttribute("aria-hidden", "true");
  }

  // Back to the first frame while nobody looks, so that an undo shows it from the start without waiting.
  rewind() {
    for (const video of this.videos) video.currentTime = 0;
  }

  // Marks each clip from the frame on at which its episode ended.
  markEnded(frames) {
    this.clips.forEach((clip, index) => {
      const hidden = clip.ended_at === null || clip.ended_at === undefined || frames[index] < clip.ended_at;
      const tag = this.tags[index];
      if (tag.hidden !== hidden) tag.hidden = hidden;
    });
  }

  dispose() {
    this.#abort.abort();
    for (const video of this.videos) {
      video.pause();
      video.removeAttribute("src");
      video.load(); // gives the decoder back at once
    }
    for (const objectUrl of this.#objectUrls) URL.revokeObjectURL(objectUrl);
    this.root?.remove();
    this.state = "failed";
  }

  #build() {
    this.root = document.createElement("div");
    this.root.className = "pp-pair";
    this.root.setAttribute("aria-hidden", "true");
    for (let count = 0; count < this.clips.length; count += 1) {
      const frame = document.createElement("div");
      frame.className = "pp-side";
      const video = document.createElement("video");
      video.muted = true;
      video.playsInline = true;
      video.disablePictureInPicture = true;
      video.preload = "auto";
      const tag = document.createElement("span");
      tag.className = "pp-ended";
      tag.textContent = "Ended";
      tag.hidden = true;
      frame.append(video, tag);
      this.root.append(frame);
      this.frames.push(frame);
      this.videos.push(video);
      this.tags.push(tag);
    }
    this.nameClips(this.names);
    this.stage.prepend(this.root);
  }

  async #loadClip(clip, index) {
    const video = this.videos[index];
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return; // from an earlier attempt
    this.#objectUrls.push(await loadVideo(video, this.resolve(clip.url), this.#abort.signal));
  }
}
