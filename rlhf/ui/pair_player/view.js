// What is written around the clips: state, saving, notices, announcements. Changes nothing but the page.

const NOTICE_MS = 9000;
const SAVING_AFTER_MS = 400; // shorter than this is not worth saying

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
    this.saving = part("saving");
    this.notice = part("notice");
    this.announcer = part("announcer");
    this.bigPlay = part("big-play");
    this.undo = part("undo");
    this.swap = part("swap");
    this.swapMark = part("swap-mark");
    this.visit = part("visit");
    this.visitText = part("visit-text");
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
    for (const button of this.answerButtons) setEnabled(button, state === "ready");
  }

  // entry: the answer that is looked at again, or null; asked: the pair's own reason.
  setReason(asked, entry = null) {
    const focused = this.visit.contains(document.activeElement);
    this.reason.textContent = asked ? `Why this pair? ${asked}` : "";
    this.reason.hidden = entry !== null;
    this.visit.hidden = entry === null;
    this.root.classList.toggle("pp-visiting", entry !== null);
    if (entry) this.visitText.textContent = `You said: ${ANSWERS[answerName(entry)].words}. Answer again to change it.`;
    else if (focused) this.root.focus({ preventScroll: true });
    for (const button of this.answerButtons) {
      if (entry && button.dataset.choice === answerName(entry)) button.setAttribute("aria-pressed", "true");
      else button.removeAttribute("aria-pressed");
    }
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
    if (this.coverText.textContent !== text) {
      this.coverText.textContent = text;
      this.announce(text);
    }
    this.cover.classList.toggle("pp-still", !problem && status?.state in texts);
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

  setSwapped(swapped) {
    this.root.classList.toggle("pp-swapped", swapped);
    this.swap.setAttribute("aria-pressed", swapped);
    this.swapMark.hidden = !swapped;
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

  // A short glow on the chosen side; runs beside the change of pair and does not delay it.
  flash(name) {
    const glow = [{ opacity: 1 }, { opacity: 0 }];
    const { choice, both_bad: bothBad } = ANSWERS[name];
    for (const element of (!bothBad && this.flashes[choice]) || []) element.animate(glow, 120);
    this.answerButtons.find((button) => button.dataset.choice === name).querySelector(".pp-press").animate(glow, 120);
  }

  // The box of the clips gets the shape of the first ones, once: nothing jumps from pair to pair.
  setShape(video) {
    if (this.shaped || !video.videoHeight) return;
    this.shaped = true;
    this.root.style.setProperty("--pp-aspect", (video.videoWidth / video.videoHeight).toFixed(4));
  }
}
