// One pair of clips: fetched, decoded and laid over the others in the stage, invisible until its turn.

const LOAD_RETRY_S = [1, 2, 4, 8];

class Pair {
  #abort = new AbortController();
  #objectUrls = [];

  // onSettled(pair): it became ready, failed, or needs another try.
  constructor(query, { resolve, stage, onSettled }) {
    this.query = query;
    this.id = query.query_id;
    this.clips = [query.left, query.right];
    this.resolve = resolve;
    this.stage = stage;
    this.onSettled = onSettled;
    this.state = "idle"; // idle -> loading -> ready | failed
    this.stuck = false; // no connection at the last try: others may go first
    this.root = null;
    this.videos = [];
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
        await Promise.all(this.clips.map((clip, side) => this.#loadSide(clip, side)));
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

  // Whether the clips have changed places; the picture follows from the style sheet.
  nameSides(swapped) {
    this.videos.forEach((video, side) => video.setAttribute("aria-label", `${(side === 1) === swapped ? "Left" : "Right"} clip`));
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
    this.clips.forEach((clip, side) => {
      const hidden = clip.ended_at === null || clip.ended_at === undefined || frames[side] < clip.ended_at;
      const tag = this.tags[side];
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
    this.tags = [];
    for (let side = 0; side < 2; side += 1) {
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
      this.videos.push(video);
      this.tags.push(tag);
    }
    this.nameSides(false);
    this.stage.prepend(this.root);
  }

  async #loadSide(clip, side) {
    const video = this.videos[side];
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return; // from an earlier attempt
    this.#objectUrls.push(await loadVideo(video, this.resolve(clip.url), this.#abort.signal));
  }
}
