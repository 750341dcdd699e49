// What is written around the clips: state, counters, saving, notices. Changes nothing but the page.

const NOTICE_MS = 9000;
const SAVING_AFTER_MS = 400; // shorter than this is not worth saying
const ANSWERS = { left: "Left better", right: "Right better", equal: "Equal", skip: "Can't tell" };

class View {
  #noticeTimer = 0;
  #savingTimer = 0;

  constructor(root) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.root = root;
    this.stage = part("stage");
    this.cover = part("cover");
    this.coverText = part("cover-text");
    this.reason = part("reason");
    this.count = part("count");
    this.progress = part("progress");
    this.message = part("message");
    this.saving = part("saving");
    this.notice = part("notice");
    this.bigPlay = part("big-play");
    this.undo = part("undo");
    this.answerButtons = [...root.querySelectorAll("[data-choice]")];
    this.flashes = { left: [part("flash-left")], right: [part("flash-right")] };
    this.flashes.equal = [...this.flashes.left, ...this.flashes.right];
    this.setState("loading", "");
  }

  setState(state, queryId) {
    this.root.dataset.queryId = queryId;
    if (this.root.dataset.state === state) return;
    this.root.dataset.state = state;
    this.cover.hidden = state === "ready";
    for (const button of this.answerButtons) button.disabled = state !== "ready";
  }

  setReason(text) {
    this.reason.textContent = text ?? "";
  }

  // problem: why the server could not be asked, or null.
  setWaitingText(status, problem) {
    const texts = {
      paused: "This run is paused. New pairs come when it goes on.",
      stopped: "This run was stopped. There are no more pairs.",
      finished: "This run has finished. Thank you!",
      failed: "This run has failed. There are no more pairs.",
    };
    let text = texts[status?.state] ?? "Rendering the next pair…";
    if (problem) text = `${problem}. Trying again…`;
    else if (this.root.dataset.state === "loading") text = "Loading the first pair…";
    if (this.coverText.textContent !== text) this.coverText.textContent = text;
    this.cover.classList.toggle("pp-still", !problem && status?.state in texts);
  }

  setStatus(status) {
    const { answers, goal } = status;
    const noun = answers === 1 && !goal ? "answer" : "answers";
    this.count.textContent = goal ? `${answers} of ${goal} ${noun}` : `${answers} ${noun}`;
    this.progress.hidden = !goal;
    if (goal) {
      const share = Math.min(1, answers / goal);
      this.progress.firstElementChild.style.transform = `scaleX(${share})`;
      this.progress.setAttribute("aria-valuenow", Math.round(100 * share));
    }
    this.message.textContent = status.message ?? "";
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

  // A short glow on the chosen side; runs beside the change of pair and does not delay it.
  flash(choice) {
    const glow = [{ opacity: 1 }, { opacity: 0 }];
    for (const element of this.flashes[choice] ?? []) element.animate(glow, 120);
    const button = this.answerButtons.find((candidate) => candidate.dataset.choice === choice);
    button?.querySelector(".pp-press").animate(glow, 120);
  }

  // The box of the clips gets the shape of the first ones, once: nothing jumps from pair to pair.
  setShape(video) {
    if (this.shaped || !video.videoHeight) return;
    this.shaped = true;
    this.root.style.setProperty("--pp-aspect", (video.videoWidth / video.videoHeight).toFixed(4));
  }
}
