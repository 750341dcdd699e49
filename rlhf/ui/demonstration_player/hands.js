// What a person holds down, by key, mouse or finger; several at once, in the order in which they were pressed.

class Hands {
  #held = [];

  constructor(holder, onChange) {
    this.holder = holder;
    this.onChange = onChange;
    this.controls = [];
  }

  offer(controls) {
    this.controls = controls;
    this.holder.replaceChildren(...controls.map((control, index) => this.#button(control, index)));
  }

  // The index of the control that a key holds, or -1.
  indexOf(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    return this.controls.findIndex((control) => control.key === key);
  }

  press(index) {
    if (this.#held.includes(index)) return;
    this.#held.push(index);
    this.#changed();
  }

  lift(index) {
    if (!this.#held.includes(index)) return;
    this.#held = this.#held.filter((held) => held !== index);
    this.#changed();
  }

  liftAll() {
    if (!this.#held.length) return;
    this.#held = [];
    this.#changed();
  }

  #changed() {
    [...this.holder.children].forEach((button, index) => button.setAttribute("aria-pressed", this.#held.includes(index)));
    this.onChange([...this.#held]);
  }

  #button(control, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pb-button dp-control";
    button.setAttribute("aria-pressed", "false");
    const key = document.createElement("kbd");
    key.textContent = HAND_KEYS[control.key] ?? control.key.toUpperCase();
    button.append(control.name, " ", key);
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      button.setPointerCapture(event.pointerId); // a finger that slides off still holds until it is lifted
      this.press(index);
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(name, () => this.lift(index));
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press on a phone
    button.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && this.#holdByKey(event, index));
    button.addEventListener("keyup", (event) => ["Enter", " "].includes(event.key) && this.lift(index));
    button.addEventListener("blur", () => this.lift(index));
    return button;
  }

  #holdByKey(event, index) {
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) this.press(index);
  }
}

const HAND_KEYS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
