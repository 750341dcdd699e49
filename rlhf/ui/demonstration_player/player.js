// The demonstration player: draws what comes, sends what is held, and asks what to do with the episode.

const PHASES = {
  ready: "Press a key or a button to begin. Nothing is kept until you say so.",
  running: "",
  paused: "Paused.",
  over: "The episode is over. Keep it, or try again.",
};
const ENDED = "The connection to the server is lost. The episode in the making is lost; what was kept is safe.";
const RATE_WINDOW_MS = 3000;

class DemonstrationPlayer {
  #abort = new AbortController();
  #drawn = []; // times of the pictures drawn of late
  #wanted = null; // the newest picture that is still to be drawn
  #drawing = false;
  #kept = 0;

  constructor(root, { run, base, takeover }) {
    this.root = root;
    this.run = run;
    this.takeover = takeover;
    this.base = new URL(base || "./", document.baseURI);
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.screen = part("screen");
    this.pen = this.screen.getContext("2d");
    this.cover = part("cover");
    this.status = part("status");
    this.hint = part("hint");
    this.time = part("time");
    this.toggleText = part("toggle-text");
    this.speeds = part("speeds");
    this.buttons = Object.fromEntries([...root.querySelectorAll("[data-do]")].map((button) => [button.dataset.do, button]));
    this.hands = new Hands(part("controls"), (held) => this.#hold(held));
    this.phase = "closed";
    this.steps = 0;
    this.#listen();
    this.#open();
  }

  stop() {
    this.#abort.abort();
    this.line?.close();
  }

  #open() {
    const address = new URL("api/recording", this.base);
    address.protocol = address.protocol.replace("http", "ws");
    address.searchParams.set("run", this.run);
    if (this.takeover) {
      address.searchParams.set("segment", this.takeover.segment);
      address.searchParams.set("frame", this.takeover.frame);
    }
    this.#enter("connecting");
    this.#say("Starting the simulator…");
    this.line = new Line(address.href, {
      onWord: (word) => this.#obey(word),
      onPicture: (number, steps, blob) => this.#show(number, steps, blob),
      onClose: () => this.phase !== "closed" && !this.#abort.signal.aborted && this.#end(ENDED),
    });
  }

  #obey(word) {
    if (word.type === "about") this.#introduce(word);
    else if (word.type === "state") {
      this.steps = word.steps;
      this.total = word.steps + word.left;
      if (word.phase !== "ready") this.#say("");
      this.#enter(word.phase);
    } else if (word.type === "kept") {
      this.#kept += 1;
      this.root.dataset.kept = this.#kept;
      this.#say(`Kept: ${word.steps} steps. ${this.#kept} kept in this sitting.`, "good");
    } else if (word.type === "problem") this.#say(word.message, "bad");
    else if (word.type === "ended") this.#end(word.message);
  }

  #introduce({ controls, idle, speeds }) {
    this.#say("");
    this.hands.offer(controls);
    this.hint.textContent = idle;
    this.rates = speeds;
    this.speeds.replaceChildren(...speeds.map((speed) => this.#speedButton(speed)));
    this.#setSpeed(1);
  }

  #end(message) {
    this.#enter("closed");
    this.#say(message, "bad");
    this.line.close();
  }

  #enter(phase) {
    this.phase = phase;
    this.root.dataset.state = phase;
    this.cover.textContent = PHASES[phase] ?? "";
    this.toggleText.textContent = phase === "running" ? "Pause" : phase === "paused" ? "Go on" : "Start";
    const is = (...phases) => phases.includes(phase);
    const on = { toggle: is("ready", "running", "paused"), restart: is("running", "paused", "over"), discard: is("ready", "running", "paused", "over"), keep: is("running", "paused", "over") };
    for (const [name, value] of Object.entries(on)) setEnabled(this.buttons[name], value);
    this.buttons.open.hidden = phase !== "closed";
    if (!is("running")) this.#drawn = [];
    this.#drawTime();
  }

  #do(name) {
    if (this.buttons[name].hidden || this.buttons[name].getAttribute("aria-disabled") === "true") return;
    if (name === "toggle") this.line.say(this.phase === "running" ? "pause" : "run");
    else if (name === "open") this.#open();
    else this.line.say(name);
  }

  #hold(held) {
    this.line.say("hold", { controls: held });
    if (held.length && ["ready", "paused"].includes(this.phase)) this.line.say("run");
  }

  #setSpeed(speed) {
    this.speed = speed;
    this.line.say("speed", { value: speed });
    [...this.speeds.children].forEach((button, index) => button.setAttribute("aria-pressed", this.rates[index] === speed));
  }

  #changeSpeed(direction) {
    const speed = this.rates?.[this.rates.indexOf(this.speed) + direction];
    if (speed) this.#setSpeed(speed);
  }

  #speedButton(speed) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pb-button pb-rate";
    button.textContent = `${speed}×`;
    button.addEventListener("click", () => this.#setSpeed(speed));
    return button;
  }

  #say(text, kind = "") {
    this.status.textContent = text;
    this.status.dataset.kind = kind;
  }

  // Pictures are drawn in order; if several have come meanwhile only the newest is.
  async #show(number, steps, blob) {
    this.#wanted = { number, steps, blob };
    if (this.#drawing) return;
    this.#drawing = true;
    while (this.#wanted) {
      const next = this.#wanted;
      this.#wanted = null;
      const picture = await createImageBitmap(next.blob);
      if (this.screen.width !== picture.width || this.screen.height !== picture.height) {
        this.screen.width = picture.width;
        this.screen.height = picture.height;
      }
      this.pen.drawImage(picture, 0, 0);
      picture.close();
      this.line.say("seen", { number: next.number });
      this.steps = next.steps;
      this.root.dataset.step = next.steps;
      this.#count();
      this.#drawTime();
    }
    this.#drawing = false;
  }

  #count() {
    const now = performance.now();
    this.#drawn = [...this.#drawn, now].filter((time) => time > now - RATE_WINDOW_MS);
    const seconds = (now - this.#drawn[0]) / 1000;
    this.rate = seconds > 0.5 ? (this.#drawn.length - 1) / seconds : null;
    if (this.rate !== null) this.root.dataset.fps = this.rate.toFixed(1);
  }

  #drawTime() {
    this.time.textContent = this.total && this.phase !== "closed" ? `Step ${this.steps} of ${this.total}` : "";
  }

  #listen() {
    const { signal } = this.#abort;
    keepFocusOnClick(this.root);
    for (const name of Object.keys(this.buttons)) this.buttons[name].addEventListener("click", () => this.#do(name), { signal });
    document.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    document.addEventListener("keyup", (event) => this.hands.lift(this.hands.indexOf(event)), { signal });
    const leave = () => {
      this.hands.liftAll(); // the key comes up elsewhere
      if (this.phase === "running") this.line.say("pause");
    };
    window.addEventListener("blur", leave, { signal });
    document.addEventListener("visibilitychange", () => document.hidden && leave(), { signal });
  }

  #onKey(event) {
    const index = this.hands.indexOf(event);
    if (index >= 0 && event.repeat && this.phase !== "closed") return event.preventDefault(); // no scrolling meanwhile
    if (belongsElsewhere(event)) return;
    const name = { " ": "toggle", Backspace: "restart", x: "discard", Enter: "keep" }[event.key];
    if (event.key === "Enter" && event.composedPath()[0].closest?.("button, a[href], summary")) return;
    if (index >= 0 && this.phase !== "closed") this.hands.press(index);
    else if (name) this.#do(name);
    else if (event.key === "[" || event.key === "]") this.#changeSpeed(event.key === "[" ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

const players = new WeakMap();

// Called by Streamlit at every change of data or theme; only another run or start begins anew.
export default function mount({ data, parentElement }) {
  const wish = JSON.stringify(data);
  const known = players.get(parentElement);
  if (known?.wish !== wish) {
    known?.player.stop();
    const template = known?.template ?? parentElement.querySelector("[data-testid=demonstration-player]");
    const root = template.cloneNode(true); // fresh controls: nothing listens twice
    (known?.root ?? template).replaceWith(root);
    players.set(parentElement, { wish, template, root, player: new DemonstrationPlayer(root, data) });
  }
  return () => {
    players.get(parentElement)?.player.stop();
    players.delete(parentElement);
  };
}
