// One clock for several videos: they play, pause, seek and restart together.
// Every clip is {fps, frames}; the longest one sets the length of the loop, a shorter one holds its last frame.

const RATES = [0.25, 0.5, 1, 2];
const HARD_SEEK_S = 0.15; // beyond this, jump
const NUDGE_FROM_S = 0.02; // below this, the difference is sampling noise
const NUDGE_LIMIT = 0.25; // largest relative change of speed while catching up
const NUDGE_GAIN = 4; // per second: a frame apart is made up in about a quarter of a second

class Clock {
  #animation = 0;
  #seeking = false;
  #seekAgain = false;
  #attachment = 0;

  constructor(onTick) {
    this.onTick = onTick;
    this.videos = [];
    this.clips = [];
    this.rate = 1;
    this.playing = false;
    this.loops = 0;
    this.target = 0;
    this.waiting = false; // for a clip that is still being fetched
  }

  // Takes over other videos. No seek here: a seek on a fresh video would cost a visible hole.
  attach(videos, clips, { play }) {
    this.detach();
    this.videos = videos;
    this.clips = clips;
    this.loops = 0;
    const lengths = clips.map((clip) => clip.frames / clip.fps);
    this.leader = lengths.indexOf(Math.max(...lengths));
    this.target = this.#frameOf(this.leader);
    if (play) this.play();
    else this.onTick();
  }

  detach() {
    this.#attachment += 1;
    this.#seeking = this.#seekAgain = this.waiting = false;
    cancelAnimationFrame(this.#animation);
    for (const video of this.videos) video.pause();
    this.videos = [];
    this.clips = [];
    this.playing = false;
  }

  get frames() {
    return this.clips.length ? this.clips[this.leader].frames : 0;
  }

  get fps() {
    return this.clips.length ? this.clips[this.leader].fps : 1;
  }

  // The frame on the common scale; while paused the one asked for, so that quick steps add up.
  get frame() {
    return this.playing && !this.#seeking ? this.#frameOf(this.leader) : this.target;
  }

  // The frame each clip shows now.
  get shownFrames() {
    return this.videos.map((_, index) => this.#frameOf(index));
  }

  play() {
    if (!this.videos.length) return;
    this.playing = true;
    cancelAnimationFrame(this.#animation);
    if (!this.#seeking) this.#startVideos();
    this.#animation = requestAnimationFrame(() => this.#tick());
    this.onTick();
  }

  pause() {
    if (!this.playing) return;
    this.target = this.frame;
    this.playing = this.waiting = false;
    cancelAnimationFrame(this.#animation);
    for (const video of this.videos) video.pause();
    this.seek(this.target); // both stop on exactly the same frame
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  step(count) {
    this.pause();
    this.seek(this.target + count);
  }

  setRate(rate) {
    this.rate = rate;
    for (const video of this.videos) video.playbackRate = rate;
    this.onTick();
  }

  // direction: -1 slower, +1 faster.
  changeRate(direction) {
    const index = RATES.indexOf(this.rate) + direction;
    if (index >= 0 && index < RATES.length) this.setRate(RATES[index]);
  }

  // Quick calls while a seek is under way collapse into one more seek, to the last frame asked for.
  async seek(frame) {
    this.target = Math.max(0, Math.min(this.frames - 1, Math.round(frame)));
    this.onTick();
    if (this.#seeking) {
      this.#seekAgain = true;
      return;
    }
    const attachment = this.#attachment;
    this.#seeking = true;
    do {
      this.#seekAgain = false;
      await Promise.all(this.videos.map((video, index) => seekVideo(video, this.#timeOf(index))));
      if (attachment !== this.#attachment) return;
    } while (this.#seekAgain);
    this.#seeking = false;
    if (this.playing) this.#startVideos();
    this.onTick();
  }

  #timeOf(index) {
    const { fps, frames } = this.clips[index];
    const last = (frames - 1 + 0.01) / fps;
    return Math.min((this.target + 0.01) / this.fps, last); // .01: inside the frame, not on its edge
  }

  #frameOf(index) {
    const { fps, frames } = this.clips[index];
    return Math.min(frames - 1, Math.floor(this.videos[index].currentTime * fps + 0.005));
  }

  #startVideos() {
    const attachment = this.#attachment;
    for (const video of this.videos) {
      video.playbackRate = this.rate;
      if (video.ended) continue; // play() would rewind it alone; the restart takes both back
      video.play().catch((error) => {
        if (error.name === "NotAllowedError" && attachment === this.#attachment) this.pause();
      });
    }
  }

  #tick() {
    if (!this.playing) return;
    if (!this.#seeking) {
      if (this.videos.every((video) => video.ended)) {
        this.loops += 1;
        for (const video of this.videos) video.pause();
        this.seek(0);
      } else if (this.#allMove()) {
        this.#synchronise();
      }
    }
    this.onTick();
    this.#animation = requestAnimationFrame(() => this.#tick());
  }

  // A clip of which nothing more is here yet makes the others wait for it. False while they do.
  #allMove() {
    const waiting = this.videos.some(isLate);
    if (waiting && !this.waiting) for (const video of this.videos) video.pause();
    if (!waiting && this.waiting) this.#startVideos();
    this.waiting = waiting;
    return !waiting;
  }

  #synchronise() {
    for (const video of this.videos) if (video !== this.videos[this.leader]) this.#follow(video);
  }

  #follow(follower) {
    const leader = this.videos[this.leader];
    if (leader.ended || follower.ended || leader.seeking || follower.seeking) return;
    const lead = follower.currentTime - leader.currentTime;
    if (Math.abs(lead) > HARD_SEEK_S) follower.currentTime = leader.currentTime;
    const nudge = Math.max(-NUDGE_LIMIT, Math.min(NUDGE_LIMIT, NUDGE_GAIN * lead));
    const change = Math.abs(lead) < NUDGE_FROM_S ? 0 : nudge;
    const rate = this.rate * (1 - change);
    if (follower.playbackRate !== rate) follower.playbackRate = rate;
  }
}

function isLate(video) {
  return !video.ended && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && video.networkState === HTMLMediaElement.NETWORK_LOADING;
}

// Resolves when the video shows the frame at `time` (or cannot).
function seekVideo(video, time) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      video.removeEventListener("seeked", done);
      resolve();
    };
    const timer = setTimeout(done, 2000); // a broken file must not block the transport for ever
    video.addEventListener("seeked", done);
    video.currentTime = time;
  });
}
