// What every player does that asks about clips: shows some, takes the answer, shows the next at once; everything
// else waits for neither. What is asked about the clips is the business of those that extend it.

const KEPT_SETS = 2; // answered ones that stay decoded for an undo

class ClipPlayer {
  #listeners = new AbortController();

  constructor(root, { run, base, prefetch, max_clip_height: maxHeight }, view) {
    this.root = root;
    this.run = run;
    this.prefetch = prefetch;
    this.view = view;
    this.base = new URL(base || "./", document.baseURI);
    this.current = null;
    this.accepting = false;
    this.queue = []; // unanswered sets of clips that are not on screen, the next first
    this.past = []; // answered sets still decoded, the latest last
    this.answered = new Set(); // ids of queries
    this.broken = new Set();
    this.status = null;
    // Some people get ill from movement: for them nothing moves before they ask for it.
    this.autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    root.style.setProperty("--pp-max-height", `${maxHeight}px`);
    const have = () => this.held();
    this.clock = new Clock(() => this.#onTick());
    this.transport = new Transport(root, this.clock, { onToggle: () => (view.bigPlay.hidden = true) });
    this.impact = new Impact(root.querySelector('[data-part="impact"]'));
    this.sitting = new Sitting(root, {
      onGoal: (goal) => view.notify(`That was answer ${goal} today: your goal. Thank you! Go on if you like.`),
      onTired: () => view.notify("You have answered for 20 minutes. A short break keeps answers good."),
    });
    this.outbox = new Outbox({
      run,
      url: this.resolve("api/answers"),
      have,
      onReply: (reply) => this.#onReply(reply),
      onChange: () => view.setSaving(this.outbox),
    });
    this.feed = new Feed({
      run,
      url: this.resolve("api/queue"),
      have,
      need: () => (this.queue.length >= this.prefetch ? "idle" : this.current || this.queue.length ? "short" : "waiting"),
      onReply: (reply) => this.onFeed(reply),
      onProblem: () => this.#drawWaiting(),
    });
  }

  // listen: (player, signal), connects keys, buttons and fingers.
  start(listen) {
    keepFocusOnClick(this.root);
    listen(this, this.#listeners.signal);
    this.#listenToPage(this.#listeners.signal);
    this.view.bigPlay.addEventListener("click", () => this.transport.toggle());
    this.view.setSaving(this.outbox);
    // Whoever has just chosen this player from a row of choices means its keys, not the arrows of that row.
    if (document.activeElement?.closest('[role="radio"]')) this.root.focus({ preventScroll: true });
    // The first reply may set the annotator's cookie; answers of an earlier visit go after it, under that name.
    this.feed.ask().then(() => this.outbox.flush());
  }

  stop() {
    this.onLeave();
    this.#listeners.abort();
    this.feed.stop();
    this.stopped = true;
    this.clock.detach();
    for (const set of [this.current, ...this.queue, ...this.past]) set?.dispose();
    this.outbox.release();
  }

  // To be given by each player: puts the clips of a query that just came into the queue.
  addQuery(_query) {}

  // May be given by each player; these run after the paint of new clips, when the page is left, at every tick.
  onPainted() {}
  onLeave() {}
  onTick(_frames) {}
  onRejected(_key) {}

  newSet(parts) {
    return new ClipSet(parts, {
      resolve: (url) => this.resolve(url),
      stage: this.view.stage,
      onSettled: (set) => this.onSettled(set),
    });
  }

  // What every answer carries.
  item(fields) {
    return {
      key: newKey(),
      ...fields,
      shown_at: (this.shownAt ?? new Date()).toISOString(),
      answered_at: new Date().toISOString(),
      plays: this.clock.loops,
      speed: this.clock.rate,
    };
  }

  // The set on screen has its answer; the next comes in the same turn of the event loop.
  goOn(set) {
    this.past.push(set);
    this.current = null;
    const open = new Set(this.queue.flatMap((other) => other.queryIds));
    for (const id of set.queryIds) if (!open.has(id)) this.answered.add(id);
    this.showNext(set);
  }

  // Asks about a set again, before all others.
  askAgain(set) {
    for (const id of set.queryIds) this.answered.delete(id);
    const previous = this.current;
    this.current = null;
    if (previous) this.queue.unshift(previous);
    this.queue.unshift(set);
    set.load();
    this.showNext(previous);
  }

  showNext(previous = null) {
    const next = this.#next;
    if (next?.ready) {
      this.queue = this.queue.filter((set) => set !== next);
      this.show(next, previous);
      return;
    }
    this.accepting = false;
    previous?.hide();
    this.clock.detach();
    this.transport.draw();
    this.view.setState(this.root.dataset.state === "loading" ? "loading" : "waiting", "");
    this.view.setReason("");
    this.view.bigPlay.hidden = true;
    this.#drawWaiting();
    this.#afterPaint();
  }

  // Swaps the visible clips in the same turn of the event loop; the rest follows after the paint.
  show(set, previous = null) {
    this.accepting = false;
    this.current = set;
    this.view.setShape(set.videos[0]);
    set.show();
    if (previous !== set) previous?.hide();
    this.clock.attach(set.videos, set.clips, { play: this.autoplay });
    requestAnimationFrame(() => {
      if (set !== this.current || this.stopped) return;
      this.onShown(set);
      // Not before the frame is on the screen: a busy main thread holds up the next frame, not only its own.
      requestAnimationFrame(() => setTimeout(() => this.#afterPaint(), 0));
    });
  }

  // Runs in the frame that paints the clips: nobody can answer what was not drawn.
  onShown(set) {
    this.accepting = true;
    this.shownAt = new Date();
    this.view.setState("ready", set.id);
    this.view.setReason(set.reason);
    this.view.bigPlay.hidden = this.autoplay;
  }

  onSettled(set) {
    if (this.stopped) return;
    if (set.state === "failed") {
      this.queue = this.queue.filter((other) => other !== set);
      for (const id of set.queryIds) this.broken.add(id);
      set.dispose();
      this.view.notify("A pair was left out: one of its clips could not be loaded.");
      this.feed.schedule();
    }
    this.#loadAhead();
    if (!this.current) this.showNext();
    else this.#warmNeighbours();
  }

  onFeed(reply) {
    if (this.root.dataset.state === "loading" && !reply.queue.length) this.view.setState("waiting", "");
    this.#take(reply);
  }

  // Ids of the queries in this browser. Broken ones count, or the server would offer them again and again.
  held() {
    return [...new Set([this.current, ...this.queue].filter(Boolean).flatMap((set) => set.queryIds)), ...this.broken];
  }

  resolve(url) {
    return new URL(url, this.base).href;
  }

  #listenToPage(signal) {
    const resume = () => {
      if (document.hidden) return;
      this.outbox.flush();
      this.feed.ask();
    };
    document.addEventListener("visibilitychange", resume, { signal });
    window.addEventListener("online", resume, { signal });
    window.addEventListener("pageshow", resume, { signal });
    window.addEventListener(
      "pagehide",
      () => {
        this.onLeave();
        this.outbox.flushOnLeave();
      },
      { signal },
    );
  }

  // In the order of the server, which asks the most useful first; one without a connection loses its turn.
  get #next() {
    return this.queue.find((set) => !set.stuck);
  }

  #afterPaint() {
    if (this.stopped) return;
    for (const set of this.past.splice(0, Math.max(0, this.past.length - KEPT_SETS))) set.dispose();
    this.past.at(-1)?.rewind();
    this.#warmNeighbours();
    this.onPainted();
    this.sitting.draw();
    this.#loadAhead();
    this.feed.schedule();
    if (this.current) this.view.announce(`${this.said ?? ""}${this.nameOfCurrent} shown.`);
    this.said = "";
  }

  // With nothing on screen the next clips get the whole connection.
  #loadAhead() {
    const count = this.current ? this.prefetch : 1;
    for (const set of this.queue.filter((other) => !other.stuck).slice(0, count)) set.load();
  }

  #warmNeighbours() {
    const neighbours = [this.#next, this.past.at(-1)];
    for (const set of [...this.queue, ...this.past]) set.setWarm(neighbours.includes(set));
  }

  #onReply(reply) {
    for (const { key, outcome, message } of reply.results ?? []) {
      if (outcome === "rejected") {
        this.view.notify(`An answer was not accepted: ${message ?? "no reason given"}`);
        this.onRejected(key);
      } else if (outcome === "late") this.view.notify(message ?? "That answer came late: it was kept, but marked.");
      else if (message) this.view.notify(message);
      else if (this.said) this.said += "Saved. "; // told with the clips that are about to be painted
      else this.view.announce("Saved.");
    }
    this.#take(reply);
  }

  #take({ queue, status }) {
    if (this.stopped) return;
    if (status) {
      this.status = status;
      this.sitting.setTotal(status.answers);
      const news = this.impact.update(status);
      if (news) this.view.announce(news);
      if (status.notice) for (const set of this.queue.splice(0)) set.dispose(); // asked nothing more
    }
    const known = new Set([...this.held(), ...this.answered]);
    for (const query of queue ?? []) {
      if (!known.has(query.query_id)) this.addQuery(query);
      known.add(query.query_id);
    }
    this.#loadAhead();
    this.#drawWaiting();
    this.feed.schedule();
  }

  #onTick() {
    this.transport.draw();
    if (!this.current) return;
    const frames = this.clock.shownFrames;
    this.current.markEnded(frames);
    this.onTick(frames);
  }

  #drawWaiting() {
    if (!this.current) this.view.setWaitingText(this.status, this.feed.problem);
  }
}
