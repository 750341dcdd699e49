// What is written around a pair: its sides, and an earlier answer that is looked at again.

class PairView extends View {
  constructor(root) {
    super(root, { one: "pair", many: "pairs", why: "Why this pair?", play: "Play both clips" });
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.swap = part("swap");
    this.swapMark = part("swap-mark");
    this.visit = part("visit");
    this.visitText = part("visit-text");
    this.flashes = { left: [part("flash-left")], right: [part("flash-right")] };
    this.flashes.equal = [...this.flashes.left, ...this.flashes.right];
  }

  // asked: the pair's own reason; entry: the answer that is looked at again, or null; hint: what can be done there.
  setReason(asked, entry = null, hint = "") {
    super.setReason(asked);
    const focused = this.visit.contains(document.activeElement);
    this.reason.hidden = entry !== null;
    this.visit.hidden = entry === null;
    this.root.classList.toggle("pp-visiting", entry !== null);
    if (entry) this.visitText.textContent = `You said: ${ANSWERS[answerName(entry)].words}. ${hint}`;
    else if (focused) this.root.focus({ preventScroll: true });
    for (const button of this.answerButtons) {
      if (entry && button.dataset.choice === answerName(entry)) button.setAttribute("aria-pressed", "true");
      else button.removeAttribute("aria-pressed");
    }
  }

  setSwapped(swapped) {
    this.root.classList.toggle("pp-swapped", swapped);
    this.swap.setAttribute("aria-pressed", swapped);
    this.swapMark.hidden = !swapped;
  }

  // A short glow on the chosen side; runs beside the change of pair and does not delay it.
  flash(name) {
    const glow = [{ opacity: 1 }, { opacity: 0 }];
    const { choice, both_bad: bothBad } = ANSWERS[name];
    for (const element of (!bothBad && this.flashes[choice]) || []) element.animate(glow, 120);
    this.answerButtons.find((button) => button.dataset.choice === name).querySelector(".pp-press").animate(glow, 120);
  }
}
