// What is written around the clips: state, saving, notices, announcements. Changes nothing but the page.

const NOTICE_MS = 9000;
const SAVING_AFTER_MS = 400; // shorter than this is not worth saying

class View {
  #noticeTimer = 0;
  #savingTimer = 0;

  // words: {one, many, why, play}, what this player calls the clips it shows at once.
  constructor(root, words) {
    this.words = words;
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.root = root;
    this.stage = part("stage");
    this.cover = part("cover");
    this.coverText = part("cover-text");
    this.reason = part("reason");
    this.saving = part("saving");
    this.notice = part("notice");
    this.announcer = part("announcer");
    this.bigPlay = part("big-play");
    this.answerButtons = [...root.querySelectorAll("[data-choice]")]; // what can be answered
    this.undo = part("undo");
    this.coverText.textContent = `Loading the first ${words.one}…`;
    part("big-play-text").textContent = words.play;
    this.setState("loading", "");
  }

  setState(state, queryId) {
    this.root.dataset.queryId = queryId;
    if (this.root.dataset.state === state) return;
    this.root.dataset.state = state;
    this.cover.hidden = state === "ready";
    for (const button of this.answerButtons) setEnabled(button, state === "ready");
  }

  setReason(asked) {
    this.reason.textContent = asked ? `${this.words.why} ${asked}` : "";
  }

  // problem: why the server could not be asked, or null.
  setWaitingText(status, problem) {
    const { one, many } = this.words;
    const texts = {
      paused: `This run is paused. New ${many} come when it goes on.`,
      stopped: `This run was stopped. There are no more ${many}.`,
      finished: "This run has finished. Thank you!",
      failed: `This run has failed. There are no more ${many}.`,
    };
    let text = status?.notice ?? texts[status?.state] ?? `Rendering the next ${one}…`;
    if (problem) text = `${problem}. Trying again…`;
    else if (this.root.dataset.state === "loading") text = `Loading the first ${one}…`;
    if (this.coverText.textContent !== text) {
      this.coverText.textContent = text;
      this.announce(text);
    }
    this.cover.classList.toggle("pp-still", !problem && (Boolean(status?.notice) || status?.state in texts));
  }

  setSaving(outbox) {
    const { length } = outbox.items;
    this.root.dataset.pending = length;
    this.root.dataset.saved = outbox.saved;
    clearTimeout(this.#savingTimer);
    if (outbox.problem && length) {
      const answers = length === 1 ? "1 answer" : `${length} answers`;
      const line = `${outbox.problem}: ${answers} kept here, will be sent`;
      if (this.saving.textContent !== line) this.saving.textContent = line;
    } else if (length) {
      this.#savingTimer = setTimeout(() => (this.saving.textContent = "Saving…"), SAVING_AFTER_MS);
    } else if (outbox.saved && this.saving.textContent !== "Saved") {
      this.saving.textContent = "Saved";
    }
    this.saving.classList.toggle("pp-warning", Boolean(outbox.problem && length));
  }

  // Something the annotator should know; goes away by itself.
  notify(text) {
    clearTimeout(this.#noticeTimer);
    this.notice.textContent = text;
    this.notice.hidden = false;
    this.#noticeTimer = setTimeout(() => (this.notice.hidden = true), NOTICE_MS);
  }

  // For screen readers only.
  announce(text) {
    this.announcer.textContent = text;
  }

  // The box of the clips gets the shape of the first ones, once: nothing jumps from one to the next.
  setShape(video) {
    if (this.shaped || !video.videoHeight) return;
    this.shaped = true;
    this.root.style.setProperty("--pp-aspect", (video.videoWidth / video.videoHeight).toFixed(4));
  }
}
