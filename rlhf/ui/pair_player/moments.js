// The moment that decided: a frame of the pair on screen, marked while one watches or when one comes back to it.

const ASK_NAME = "preference-studio:ask-moment";

class Moments {
  // onToggle(): marks or unmarks; onAsked(): the answer before is to get one; onAsks(): whether to ask was changed.
  constructor(root, { onToggle, onAsked, onAsks }) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.button = part("moment");
    this.text = part("moment-text");
    this.question = part("ask-moment");
    this.choice = part("help-ask");
    this.asks = this.choice.checked = recall(ASK_NAME, false);
    this.button.addEventListener("click", onToggle);
    this.question.addEventListener("click", onAsked);
    this.choice.addEventListener("change", () => {
      this.asks = this.choice.checked;
      remember(ASK_NAME, this.asks);
      onAsks();
    });
  }

  // moment: {frame} of the pair on screen, or null.
  draw(moment, fps) {
    const text = moment ? `Unmark the moment at ${(moment.frame / fps).toFixed(1)} s` : "Mark the moment";
    if (this.text.textContent === text) return; // with each pair: nothing may hold its paint up
    this.text.textContent = text;
    this.button.setAttribute("aria-pressed", moment !== null);
  }

  // A question beside the answer before, which costs nothing when nobody heeds it; its place stays when it goes.
  ask(entry) {
    this.question.hidden = !this.asks;
    this.question.classList.toggle("pp-empty", !entry || preferredClip(entry) === null || Boolean(entry.moment));
  }
}
