// The pair player: shows a pair, takes the answer, shows the next at once; everything else waits for neither.

const POLL_S = { waiting: 1, short: 3, idle: 10 };
const FIRST_WAIT_S = 0.1; // somebody who waits is looked after at once, then ever more rarely
const KEPT_PAIRS = 2; // answered pairs that stay decoded for an undo
const HISTORY = 20; // answers that can be taken back
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "equal", s: "skip", S: "skip" };

class PairPlayer {
  #pollTimer = 0;
  #polling = false;
  #pollFailures = 0;
  #emptyPolls = 0;
  #pollProblem = null;
  #listeners = new AbortController();

  constructor(root, { run, base, prefetch, max_clip_height: maxHeight }) {
    this.root = root;
    this.run = run;
    this.prefetch = prefetch;
    this.base = new URL(base || "./", document.baseURI);
    this.current = null;
    this.accepting = false;
    this.queue = []; // unanswered pairs that are not on screen, the next first
    this.past = []; // answered pairs still decoded, the latest last
    this.broken = new Set();
    this.status = null;
    // Some people get ill from movement: for them nothing moves before they ask for it.
    this.autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    root.style.setProperty("--pp-max-height", `${maxHeight}px`);
    this.view = new View(root);
    this.clock = new Clock(() => this.#onTick());
    this.transport = new Transport(root, this.clock, { onToggle: (playing) => this.#onToggle(playing) });
    this.outbox = new Outbox({
      run,
      url: this.#resolve("api/answers"),
      have: () => this.#held(),
      onReply: (reply) => this.#onReply(reply),
      onChange: () => this.view.setSaving(this.outbox),
    });
    this.historyName = `preference-studio:history:${run}`;
    this.history = this.#storedHistory();
    this.answered = new Set([...this.history.map((entry) => entry.query.query_id), ...this.outbox.items.map((item) => item.query_id)]);
    this.#listen();
    this.#drawUndo();
    this.view.setSaving(this.outbox);
    // The first reply may set the annotator's cookie; answers of an earlier visit go after it, under that name.
    this.#fetchQueue().then(() => this.outbox.flush());
  }

  answer(choice) {
    const pair = this.current;
    if (!pair || !this.accepting) return;
    const item = this.#item(pair.query, choice);
    this.outbox.add(item);
    this.history = [...this.history, { key: item.key, query: pair.query }].slice(-HISTORY);
    this.answered.add(pair.id);
    this.past.push(pair);
    this.current = null;
    this.#showNext(pair);
    this.view.flash(choice);
  }

  undo() {
    const entry = this.history.pop();
    if (!entry) return;
    this.outbox.add({ ...this.#item(entry.query, "undo"), of: entry.key });
    this.answered.delete(entry.query.query_id);
    const known = this.past.at(-1)?.id === entry.query.query_id;
    const pair = known ? this.past.pop() : this.#newPair(entry.query);
    const previous = this.current;
    if (previous) this.queue.unshift(previous);
    this.current = null;
    this.queue.unshift(pair);
    pair.load();
    this.#showNext(previous);
  }

  stop() {
    this.#listeners.abort();
    clearTimeout(this.#pollTimer);
    this.stopped = true;
    this.clock.detach();
    for (const pair of [this.current, ...this.queue, ...this.past]) pair?.dispose();
    this.outbox.release();
  }

  #item(query, choice) {
    return {
      key: newKey(),
      query_id: query.query_id,
      choice,
      shown_at: (this.shownAt ?? new Date()).toISOString(),
      answered_at: new Date().toISOString(),
      plays: this.clock.loops,
      speed: this.clock.rate,
    };
  }

  // Swaps the visible pair in the same turn of the event loop; the rest follows after the paint.
  #showNext(previous = null) {
    const next = this.#next;
    this.accepting = false;
    if (next?.ready) {
      this.queue = this.queue.filter((pair) => pair !== next);
      this.current = next;
      this.view.setShape(next.videos[0]);
      next.show();
      previous?.hide();
      this.clock.attach(next.videos, next.clips, { play: this.autoplay });
      requestAnimationFrame(() => {
        this.#onShown(next);
        setTimeout(() => this.#afterPaint(), 0);
      });
    } else {
      previous?.hide();
      this.clock.detach();
      this.transport.draw();
      this.view.setState(this.root.dataset.state === "loading" ? "loading" : "waiting", "");
      this.view.setReason("");
      this.view.bigPlay.hidden = true;
      this.#drawWaiting();
      this.#afterPaint();
    }
  }

  // Runs in the frame that paints the pair: nobody can answer what was not drawn.
  #onShown(pair) {
    if (pair !== this.current || this.stopped) return;
    this.accepting = true;
    this.shownAt = new Date();
    this.view.setState("ready", pair.id);
    this.view.setReason(pair.query.reason);
    this.view.bigPlay.hidden = this.autoplay;
  }

  #afterPaint() {
    if (this.stopped) return;
    for (const pair of this.past.splice(0, Math.max(0, this.past.length - KEPT_PAIRS))) pair.dispose();
    this.past.at(-1)?.rewind();
    this.#warmNeighbours();
    this.#storeHistory();
    this.#drawUndo();
    this.#loadAhead();
    this.#schedulePoll();
  }

  // In the order of the server, which asks the most useful pair first; one without a connection loses its turn.
  get #next() {
    return this.queue.find((pair) => !pair.stuck);
  }

  // With nothing on screen the next pair gets the whole connection.
  #loadAhead() {
    const count = this.current ? this.prefetch : 1;
    for (const pair of this.queue.filter((other) => !other.stuck).slice(0, count)) pair.load();
  }

  #warmNeighbours() {
    const neighbours = [this.#next, this.past.at(-1)];
    for (const pair of [...this.queue, ...this.past]) pair.setWarm(neighbours.includes(pair));
  }

  #newPair(query) {
    return new Pair(query, {
      resolve: (url) => this.#resolve(url),
      stage: this.view.stage,
      onSettled: (pair) => this.#onSettled(pair),
    });
  }

  #onSettled(pair) {
    if (this.stopped) return;
    if (pair.state === "failed") {
      this.queue = this.queue.filter((other) => other !== pair);
      this.broken.add(pair.id);
      pair.dispose();
      this.view.notify("A pair was left out: one of its clips could not be loaded.");
      this.#schedulePoll();
    }
    this.#loadAhead();
    if (!this.current) this.#showNext();
    else this.#warmNeighbours();
  }

  #onReply(reply) {
    for (const { key, outcome, message } of reply.results ?? []) {
      if (outcome === "rejected") this.#onRejected(key, message);
      else if (outcome === "late") this.view.notify(message ?? "That answer came late: it was kept, but marked.");
      else if (message) this.view.notify(message);
    }
    this.#take(reply);
  }

  #onRejected(key, message) {
    this.view.notify(`An answer was not accepted: ${message ?? "no reason given"}`);
    const entry = this.history.find((other) => other.key === key);
    if (!entry) return;
    this.answered.delete(entry.query.query_id);
    this.history = this.history.filter((other) => other !== entry);
    this.#storeHistory();
    this.#drawUndo();
  }

  #take({ queue, status }) {
    if (this.stopped) return;
    if (status) {
      this.status = status;
      this.view.setStatus(status);
    }
    const known = new Set([...this.#held(), ...this.answered]);
    this.#emptyPolls = queue?.length ? 0 : this.#emptyPolls + 1;
    for (const query of queue ?? []) {
      if (!known.has(query.query_id)) this.queue.push(this.#newPair(query));
      known.add(query.query_id);
    }
    this.#loadAhead();
    this.#drawWaiting();
    this.#schedulePoll();
  }

  // Broken pairs count as held, or the server would offer them again and again.
  #held() {
    return [this.current, ...this.queue].filter(Boolean).map((pair) => pair.id).concat([...this.broken]);
  }

  async #fetchQueue() {
    if (this.#polling || this.stopped) return;
    this.#polling = true;
    try {
      const url = new URL(this.#resolve("api/queue"));
      url.search = new URLSearchParams({ run: this.run, have: this.#held().join(",") });
      const signal = AbortSignal.timeout(POST_TIMEOUT_MS);
      const reply = await readReply(await fetch(url, { cache: "no-store", headers: OURS, signal }));
      this.#pollFailures = 0;
      this.#pollProblem = null;
      if (this.root.dataset.state === "loading" && !reply.queue.length) this.view.setState("waiting", "");
      this.#take(reply);
    } catch (error) {
      this.#pollFailures += 1;
      this.#pollProblem = error instanceof Refusal ? `The server says: ${error.message.replace(/\.$/, "")}` : "No connection";
    }
    this.#polling = false;
    this.#drawWaiting();
    this.#schedulePoll();
  }

  #schedulePoll() {
    if (this.stopped) return;
    clearTimeout(this.#pollTimer);
    let delay = this.queue.length < this.prefetch ? POLL_S.short : POLL_S.idle;
    if (!this.current && !this.queue.length) delay = Math.min(POLL_S.waiting, FIRST_WAIT_S * 2 ** this.#emptyPolls);
    if (this.#pollFailures) delay = RETRY_S[Math.min(this.#pollFailures, RETRY_S.length) - 1];
    this.#pollTimer = setTimeout(() => (document.hidden ? this.#schedulePoll() : this.#fetchQueue()), 1000 * delay);
  }

  #onTick() {
    this.transport.draw();
    if (!this.current) return;
    const frames = this.clock.shownFrames;
    this.current.markEnded(frames);
    [this.root.dataset.frameLeft, this.root.dataset.frameRight] = frames;
  }

  #onToggle(playing) {
    this.view.bigPlay.hidden = true;
    if (!this.autoplay && playing) this.autoplay = true; // asked for once: the following pairs play too
  }

  #listen() {
    const { signal } = this.#listeners;
    const resume = () => {
      if (document.hidden) return;
      this.outbox.flush();
      this.#fetchQueue();
    };
    document.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    document.addEventListener("visibilitychange", resume, { signal });
    window.addEventListener("online", resume, { signal });
    window.addEventListener("pageshow", resume, { signal });
    window.addEventListener("pagehide", () => this.outbox.flushOnLeave(), { signal });
    keepFocusOnClick(this.root);
    for (const button of this.view.answerButtons) {
      button.addEventListener("click", () => this.answer(button.dataset.choice), { signal });
    }
    this.view.undo.addEventListener("click", () => this.undo(), { signal });
    this.view.bigPlay.addEventListener("click", () => this.transport.toggle(), { signal });
  }

  #onKey(event) {
    if (belongsElsewhere(event)) return;
    if (Object.hasOwn(KEYS, event.key)) this.answer(KEYS[event.key]);
    else if (event.key === "z" || event.key === "Z") this.undo();
    else if (!this.transport.handleKey(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #drawWaiting() {
    if (!this.current) this.view.setWaitingText(this.status, this.#pollProblem);
  }

  #drawUndo() {
    this.view.undo.disabled = !this.history.length;
  }

  #resolve(url) {
    return new URL(url, this.base).href;
  }

  #storedHistory() {
    try {
      const entries = JSON.parse(sessionStorage.getItem(this.historyName) ?? "[]");
      return Array.isArray(entries) ? entries : [];
    } catch {
      return [];
    }
  }

  // Kept for this tab, so that an undo also works after a reload.
  #storeHistory() {
    try {
      sessionStorage.setItem(this.historyName, JSON.stringify(this.history));
    } catch {
      // Without storage the undo ends at a reload.
    }
  }
}

const players = new WeakMap();

// Called by Streamlit at every change of data or theme; the elements stay, and so does the player.
export default function mount({ data, parentElement }) {
  if (!players.has(parentElement)) {
    const root = parentElement.querySelector("[data-testid=pair-player]");
    players.set(parentElement, new PairPlayer(root, data));
  }
  return () => {
    players.get(parentElement)?.stop();
    players.delete(parentElement);
  };
}
