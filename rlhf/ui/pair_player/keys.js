// Which key does what. Changes are the annotator's own and stay in this browser.

const ACTIONS = {
  left: { label: "Left better", key: "ArrowLeft", withShift: "much better" },
  right: { label: "Right better", key: "ArrowRight", withShift: "much better" },
  equal: { label: "Equal", key: "ArrowDown" },
  "both-bad": { label: "Both bad", key: "b" },
  skip: { label: "Can't tell", key: "s" },
  undo: { label: "Undo", key: "z" },
  back: { label: "See the pair before again", key: "h" },
  moment: { label: "Mark the moment that decided", key: "m", withShift: "of the answer before" },
  swap: { label: "Change sides while held", key: "x" },
  comment: { label: "Comment on the last answer", key: "n" },
  play: { label: "Play or pause", key: " ", transport: " " },
  "frame-back": { label: "One frame back", key: ",", transport: "," },
  "frame-forward": { label: "One frame forward", key: ".", transport: "." },
  slower: { label: "Slower", key: "[", transport: "[" },
  faster: { label: "Faster", key: "]", transport: "]" },
};
const HELP_KEY = "?";
const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space", Backspace: "⌫", PageUp: "PgUp", PageDown: "PgDn" };
const NO_ACTION_KEYS = ["Tab", "Enter", "Escape", "Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "Dead", "Unidentified"];
const KEYS_NAME = "preference-studio:keys";

class KeyMap {
  constructor(root) {
    this.root = root;
    this.own = this.#stored();
    this.draw();
  }

  keyOf(action) {
    return this.own[action] ?? ACTIONS[action].key;
  }

  nameOf(action) {
    const key = this.keyOf(action);
    return KEY_NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
  }

  // The action a key press asks for, or undefined.
  actionOf(event) {
    const key = plainKey(event);
    return Object.keys(ACTIONS).find((action) => this.keyOf(action) === key);
  }

  // Takes over the key of this event; returns why not, or null.
  bind(action, event) {
    const key = plainKey(event);
    if (NO_ACTION_KEYS.includes(key) || event.ctrlKey || event.metaKey || event.altKey) return "This key cannot be used alone.";
    if (key === HELP_KEY || /^[0-9]$/.test(key)) return "Digits choose reasons, and ? opens this list.";
    if (key === "c" || key === "r") return "C and R belong to the page itself.";
    const shifted = key.length > 1 || key !== key.toUpperCase();
    if (ACTIONS[action].withShift && !shifted) return `Take a letter or an arrow: with Shift it means “${ACTIONS[action].withShift}”.`;
    const taken = this.actionOf(event);
    if (taken && taken !== action) return `${KEY_NAMES[key] ?? key.toUpperCase()} is taken by “${ACTIONS[taken].label}”.`;
    this.own = { ...this.own, [action]: key };
    this.#changed();
    return null;
  }

  reset() {
    this.own = {};
    this.#changed();
  }

  // Writes the keys on the buttons that do the same.
  draw() {
    for (const element of this.root.querySelectorAll("[data-key]")) {
      const name = this.nameOf(element.dataset.key);
      const text = element.dataset.shift === undefined ? name : `⇧${name}`;
      if (element.textContent !== text) element.textContent = text;
    }
  }

  #changed() {
    remember(KEYS_NAME, this.own);
    this.draw();
  }

  #stored() {
    const own = recall(KEYS_NAME, {});
    return Object.fromEntries(Object.entries(own).filter(([action, key]) => Object.hasOwn(ACTIONS, action) && typeof key === "string"));
  }
}

function plainKey(event) {
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}
