// The pair player: shows a pair, takes the answer, shows the next at once; everything else waits for neither.

const KEPT_PAIRS = 2; // answered pairs that stay decoded for an undo
const ARRIVAL_MS = 3000; // a pair gone back to that takes longer is given up

class PairPlayer {
  #listeners = new AbortController();
  #arrivalTimer = 0;

  constructor(root, { run, base, prefetch, max_clip_height: maxHeight }) {
    this.root = root;
    this.run = run;
    this.prefetch = prefetch;
    this.base = new URL(base || "./", document.baseURI);
    this.current = null;
    this.accepting = false;
    this.queue = []; // unanswered pairs that are not on screen, the next first
    this.past = []; // answered pairs still decoded, the latest last
    this.visiting = null; // the answer whose pair is on screen again
    this.arriving = null; // {entry, pair}: gone back to, not yet decoded
    this.swapped = false;
    this.broken = new Set();
    this.status = null;
    // Some people get ill from movement: for them nothing moves before they ask for it.
    this.autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    root.style.setProperty("--pp-max-height", `${maxHeight}px`);
    this.#addParts();
    this.answered = new Set([...this.history.queryIds, ...this.outbox.items.map((item) => item.query_id)]);
    this.#listen();
    this.#drawHistory();
    this.view.setSaving(this.outbox);
    // The first reply may set the annotator's cookie; answers of an earlier visit go after it, under that name.
    this.feed.ask().then(() => this.outbox.flush());
  }

  // name: a key of ANSWERS.
  answer(name) {
    const pair = this.current;
    if (!pair || !this.accepting) return;
    const { words, ...fields } = ANSWERS[name];
    const seen = { is_swapped: this.swapped || undefined, swaps: this.swaps || undefined };
    const item = this.#item(pair.query, { ...fields, ...seen });
    this.outbox.add(item);
    this.history.add(item, pair.query);
    this.reasons.speakOf(this.history.latest); // a reason given before the next frame is this answer's
    this.answered.add(pair.id);
    this.past.push(pair);
    this.current = this.visiting = null;
    this.#showNext(pair);
    this.view.flash(name);
    this.sitting.add(this.shownAt, new Date(item.answered_at));
    this.said = `${words}. `;
  }

  // Takes back the answer whose pair is on screen, or else the latest; the pair is asked again.
  undo() {
    const entry = this.visiting ?? this.history.latest;
    if (!entry) return;
    this.#cancelArrival();
    this.reasons.commit();
    this.outbox.add(this.#item(entry.query, { choice: "undo", of: entry.key }));
    this.history.remove(entry);
    this.answered.delete(entry.query.query_id);
    this.sitting.takeBack();
    this.said = "Taken back. ";
    const previous = this.current;
    this.current = null;
    if (this.visiting) {
      this.visiting = null;
      this.#show(previous);
      return;
    }
    const pair = this.#pairOf(entry);
    if (previous) this.queue.unshift(previous);
    this.queue.unshift(pair);
    pair.load();
    this.#showNext(previous);
  }

  // Shows the pair of an earlier answer again; the pairs to come wait as they are.
  goBackTo(entry) {
    if (!entry) return;
    this.#cancelArrival();
    if (entry === this.visiting) return;
    const pair = this.#pairOf(entry);
    this.accepting = false; // a key meant for that pair must not answer this one
    this.arriving = { entry, pair };
    this.#arrivalTimer = setTimeout(() => this.#giveUpArrival(), ARRIVAL_MS);
    if (pair.ready) this.#arrive();
    else pair.load();
  }

  // Back from an earlier pair to those to come.
  leaveVisit() {
    if (this.arriving) return this.#cancelArrival();
    if (!this.visiting) return;
    const previous = this.current;
    this.current = null;
    this.#putAway(previous);
    this.#showNext(previous);
  }

  setSwapped(swapped) {
    if (this.swapped === swapped) return;
    this.swapped = swapped;
    if (swapped) this.swaps += 1;
    this.view.setSwapped(swapped);
    this.current?.nameSides(swapped);
    this.view.announce(swapped ? "Sides changed over" : "Sides as before");
  }

  stop() {
    this.reasons.commit();
    this.#listeners.abort();
    this.feed.stop();
    clearTimeout(this.#arrivalTimer);
    this.stopped = true;
    this.clock.detach();
    for (const pair of [this.current, this.arriving?.pair, ...this.queue, ...this.past]) pair?.dispose();
    this.outbox.release();
  }

  #addParts() {
    const { root, run } = this;
    const resolve = (url) => this.#resolve(url);
    const have = () => this.#held();
    this.view = new View(root);
    this.clock = new Clock(() => this.#onTick());
    this.transport = new Transport(root, this.clock, { onToggle: () => (this.view.bigPlay.hidden = true) });
    this.keys = new KeyMap(root);
    this.history = new History(root, { run, resolve, onVisit: (entry) => this.goBackTo(entry) });
    this.reasons = new Reasons(root, { onChange: (entry) => this.#sendReason(entry) });
    this.sitting = new Sitting(root, {
      onGoal: (goal) => this.view.notify(`That was answer ${goal} today: your goal. Thank you! Go on if you like.`),
      onTired: () => this.view.notify("You have answered for 20 minutes. A short break keeps answers good."),
    });
    this.help = new Help(root, this.keys, this.sitting);
    this.impact = new Impact(root.querySelector('[data-part="impact"]'));
    this.outbox = new Outbox({
      run,
      url: resolve("api/answers"),
      have,
      onReply: (reply) => this.#onReply(reply),
      onChange: () => this.view.setSaving(this.outbox),
    });
    this.feed = new Feed({
      run,
      url: resolve("api/queue"),
      have,
      need: () => (this.queue.length >= this.prefetch ? "idle" : this.current || this.queue.length ? "short" : "waiting"),
      onReply: (reply) => this.#onFeed(reply),
      onProblem: () => this.#drawWaiting(),
    });
  }

  #item(query, fields) {
    return {
      key: newKey(),
      query_id: query.query_id,
      ...fields,
      shown_at: (this.shownAt ?? new Date()).toISOString(),
      answered_at: new Date().toISOString(),
      plays: this.clock.loops,
      speed: this.clock.rate,
    };
  }

  // The same answer once more, with its reason; the server keeps when and how it was given.
  #sendReason(entry) {
    const { key: completes, choice, tags, comment, query } = entry;
    entry.key = newKey();
    this.outbox.add({ key: entry.key, query_id: query.query_id, choice, completes, tags, comment });
    this.history.store();
  }

  #showNext(previous = null) {
    const next = this.#next;
    if (next?.ready) {
      this.queue = this.queue.filter((pair) => pair !== next);
      this.#show(next, previous);
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

  // Swaps the visible pair in the same turn of the event loop; the rest follows after the paint.
  #show(pair, previous = null) {
    this.accepting = false;
    this.current = pair;
    this.view.setShape(pair.videos[0]);
    pair.show();
    if (previous !== pair) previous?.hide();
    this.clock.attach(pair.videos, pair.clips, { play: this.autoplay });
    requestAnimationFrame(() => {
      this.#onShown(pair);
      // Not before the frame is on the screen: a busy main thread holds up the next frame, not only its own.
      requestAnimationFrame(() => setTimeout(() => this.#afterPaint(), 0));
    });
  }

  // Runs in the frame that paints the pair: nobody can answer what was not drawn.
  #onShown(pair) {
    if (pair !== this.current || this.stopped) return;
    this.accepting = !this.arriving;
    this.shownAt = new Date();
    this.swaps = this.swapped ? 1 : 0;
    this.view.setState("ready", pair.id);
    this.view.setReason(pair.query.reason, this.visiting);
    this.view.bigPlay.hidden = this.autoplay;
  }

  #afterPaint() {
    if (this.stopped) return;
    for (const pair of this.past.splice(0, Math.max(0, this.past.length - KEPT_PAIRS))) pair.dispose();
    this.past.at(-1)?.rewind();
    this.current?.nameSides(this.swapped);
    this.#warmNeighbours();
    this.#drawHistory();
    this.sitting.draw();
    this.#loadAhead();
    this.feed.schedule();
    const pair = this.visiting ? "An earlier pair" : `Pair ${this.sitting.answers + 1}`;
    if (this.current) this.view.announce(`${this.said ?? ""}${pair} is shown.`);
    this.said = "";
  }

  #arrive() {
    const { entry, pair } = this.arriving;
    const previous = this.current;
    this.#cancelArrival();
    this.current = null;
    if (previous) this.#putAway(previous);
    this.visiting = entry;
    this.#show(pair, previous);
  }

  #putAway(pair) {
    if (this.visiting) this.past.unshift(pair);
    else this.queue.unshift(pair);
    this.visiting = null;
  }

  #giveUpArrival() {
    this.#cancelArrival();
    this.view.notify("That pair cannot be shown now.");
  }

  #cancelArrival() {
    clearTimeout(this.#arrivalTimer);
    const { pair } = this.arriving ?? {};
    this.arriving = null;
    if (this.current) this.accepting = true;
    if (pair && !pair.ready) pair.dispose();
  }

  // Decoded still, or to be loaded anew.
  #pairOf(entry) {
    const { query } = entry;
    const kept = this.past.find((pair) => pair.id === query.query_id);
    this.past = this.past.filter((pair) => pair !== kept);
    return kept ?? this.#newPair(query);
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
    if (pair === this.arriving?.pair) {
      if (pair.ready) this.#arrive();
      else if (pair.state === "failed") this.#giveUpArrival();
      return;
    }
    if (pair.state === "failed") {
      this.queue = this.queue.filter((other) => other !== pair);
      this.broken.add(pair.id);
      pair.dispose();
      this.view.notify("A pair was left out: one of its clips could not be loaded.");
      this.feed.schedule();
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
      else if (this.said) this.said += "Saved. "; // told with the pair that is about to be painted
      else this.view.announce("Saved.");
    }
    this.#take(reply);
  }

  #onRejected(key, message) {
    this.view.notify(`An answer was not accepted: ${message ?? "no reason given"}`);
    const entry = this.history.entries.find((other) => other.key === key);
    if (!entry) return;
    this.answered.delete(entry.query.query_id);
    this.history.remove(entry);
    this.#drawHistory();
  }

  #onFeed(reply) {
    if (reply.history) {
      this.history.merge(reply.history, this.outbox.items.map((item) => item.query_id));
      for (const queryId of this.history.queryIds) this.answered.add(queryId);
      this.#drawHistory();
    }
    if (this.root.dataset.state === "loading" && !reply.queue.length) this.view.setState("waiting", "");
    this.#take(reply);
  }

  #take({ queue, status }) {
    if (this.stopped) return;
    if (status) {
      this.status = status;
      this.sitting.setTotal(status.answers);
      const news = this.impact.update(status);
      if (news) this.view.announce(news);
    }
    const known = new Set([...this.#held(), ...this.answered]);
    for (const query of queue ?? []) {
      if (!known.has(query.query_id)) this.queue.push(this.#newPair(query));
      known.add(query.query_id);
    }
    this.#loadAhead();
    this.#drawWaiting();
    this.feed.schedule();
  }

  // Broken pairs count as held, or the server would offer them again and again.
  #held() {
    return [this.current, ...this.queue].filter(Boolean).map((pair) => pair.id).concat([...this.broken]);
  }

  #onTick() {
    this.transport.draw();
    if (!this.current) return;
    const frames = this.clock.shownFrames;
    this.current.markEnded(frames);
    [this.root.dataset.frameLeft, this.root.dataset.frameRight] = frames;
  }

  #listen() {
    const { signal } = this.#listeners;
    listenToPage(this, signal);
    listenToControls(this, signal);
  }

  #drawWaiting() {
    if (!this.current) this.view.setWaitingText(this.status, this.feed.problem);
  }

  #drawHistory() {
    this.history.visited = this.visiting;
    this.history.store();
    this.history.draw();
    this.reasons.speakOf(this.visiting ?? this.history.latest);
    this.reasons.draw();
    setEnabled(this.view.undo, this.history.latest !== null);
  }

  #resolve(url) {
    return new URL(url, this.base).href;
  }
}
