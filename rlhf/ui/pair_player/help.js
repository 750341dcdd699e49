// The list of keys, where they can be changed, and the goal for today.

class Help {
  #waiting = null; // the action whose new key is waited for

  constructor(root, keys, sitting) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.keys = keys;
    this.dialog = part("help");
    this.rows = part("help-keys");
    this.problem = part("help-problem");
    this.goal = part("help-goal");
    for (const action of Object.keys(ACTIONS)) this.rows.append(this.#row(action));
    this.goal.addEventListener("change", () => {
      sitting.setGoal(Number(this.goal.value));
      this.goal.value = sitting.goal;
    });
    part("help-reset").addEventListener("click", () => {
      keys.reset();
      this.#draw();
    });
    part("help-close").addEventListener("click", () => this.dialog.close());
    part("help-open").addEventListener("click", () => this.open());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => this.#onKey(event));
    this.dialog.addEventListener("close", () => (this.#waiting = null));
    this.sitting = sitting;
    this.#draw();
  }

  open() {
    if (this.dialog.open) return;
    this.#waiting = null;
    this.goal.value = this.sitting.goal;
    this.#draw();
    this.dialog.showModal();
  }

  #row(action) {
    const row = document.createElement("div");
    const { label, withShift } = ACTIONS[action];
    row.className = "pp-help-row";
    row.innerHTML = '<dt></dt><dd><button type="button" class="pb-button"><kbd></kbd></button></dd>';
    row.querySelector("dt").textContent = withShift ? `${label}; with Shift: ${withShift}` : label;
    row.querySelector("button").dataset.action = action;
    row.querySelector("button").addEventListener("click", () => {
      this.#waiting = this.#waiting === action ? null : action;
      this.#draw();
    });
    return row;
  }

  #onKey(event) {
    if (!this.#waiting || event.repeat || ["Shift", "Tab"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const problem = event.key === "Escape" ? null : this.keys.bind(this.#waiting, event);
    if (!problem) this.#waiting = null;
    this.#draw(problem ?? "");
  }

  #draw(problem = "") {
    this.problem.textContent = problem;
    for (const button of this.rows.querySelectorAll("button")) {
      const { action } = button.dataset;
      const waits = action === this.#waiting;
      button.firstElementChild.textContent = waits ? "Press a key…" : this.keys.nameOf(action);
      button.setAttribute("aria-pressed", waits);
      button.setAttribute("aria-label", `${ACTIONS[action].label}: ${waits ? "press a key" : `${this.keys.nameOf(action)}, change`}`);
    }
  }
}
