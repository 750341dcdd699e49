// The pair player: two clips side by side, and the answers that compare them.

const ARRIVAL_MS = 3000; // a pair gone back to that takes longer is given up

class PairPlayer extends ClipPlayer {
  #arrivalTimer = 0;

  constructor(root, options) {
    super(root, options, new PairView(root));
    this.visiting = null; // the answer whose pair is on screen again
    this.arriving = null; // {entry, pair}: gone back to, not yet decoded
    this.swapped = false;
    this.marksOnly = false; // gone back to an answer only to mark its moment
    const resolve = (url) => this.resolve(url);
    this.keys = new KeyMap(root);
    this.history = new History(root, { run: this.run, resolve, onVisit: (entry) => this.goBackTo(entry) });
    this.reasons = new Reasons(root, { onChange: (entry) => this.#sendReason(entry) });
    this.moments = new Moments(root, {
      onToggle: () => this.toggleMoment(),
      onAsked: () => this.markBefore(),
      onAsks: () => this.#drawHistory(),
    });
    this.help = new Help(root, this.keys, this.sitting);
    for (const id of [...this.history.queryIds, ...this.outbox.items.map((item) => item.query_id)]) this.answered.add(id);
    this.#drawHistory();
  }

  get nameOfCurrent() {
    return this.visiting ? "An earlier pair is" : `Pair ${this.sitting.answers + 1} is`;
  }

  // name: a key of ANSWERS.
  answer(name) {
    const pair = this.current;
    if (!pair || !this.accepting) return;
    const { words, ...fields } = ANSWERS[name];
    const seen = { is_swapped: this.swapped !== pair.isTurned || undefined, swaps: this.swaps || undefined };
    const item = this.item({ query_id: pair.id, ...fields, ...seen, moment: pair.moment ?? undefined });
    this.outbox.add(item);
    this.history.add(item, pair.queries[0]);
    this.reasons.speakOf(this.history.latest); // a reason given before the next frame is this answer's
    this.visiting = null;
    this.marksOnly = false;
    this.goOn(pair);
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
    this.outbox.add(this.item({ query_id: entry.query.query_id, choice: "undo", of: entry.key }));
    this.history.remove(entry);
    this.answered.delete(entry.query.query_id);
    this.sitting.takeBack();
    this.said = "Taken back. ";
    this.marksOnly = false;
    if (this.visiting) {
      this.visiting = null;
      this.show(this.current);
    } else {
      this.askAgain(this.#pairOf(entry));
    }
  }

  // Shows the pair of an earlier answer again; the pairs to come wait as they are.
  goBackTo(entry) {
    if (!entry) return;
    this.#cancelArrival();
    this.marksOnly = false;
    if (entry === this.visiting) return;
    const pair = this.#pairOf(entry);
    this.accepting = false; // a key meant for that pair must not answer this one
    this.arriving = { entry, pair };
    this.#arrivalTimer = setTimeout(() => this.#giveUpArrival(), ARRIVAL_MS);
    if (pair.ready) this.#arrive();
    else pair.load();
  }

  // Marks the frame on screen as the moment that decided, or takes the mark away.
  toggleMoment() {
    const pair = this.current;
    if (!pair || !this.accepting) return;
    pair.moment = pair.moment ? null : { frame: this.clock.frame };
    this.#drawMoment();
    this.view.announce(pair.moment ? "Moment marked" : "Mark removed");
    if (!this.visiting) return;
    this.visiting.moment = pair.moment;
    this.#sendReason(this.visiting);
    if (this.marksOnly && pair.moment) this.leaveVisit();
  }

  // Goes back to the answer before for its moment to be marked, and from there on by itself.
  markBefore() {
    const { latest } = this.history;
    if (!latest || this.visiting) return this.toggleMoment();
    this.goBackTo(latest);
    this.marksOnly = true;
  }

  // Back from an earlier pair to those to come.
  leaveVisit() {
    this.marksOnly = false;
    if (this.arriving) return this.#cancelArrival();
    if (!this.visiting) return;
    const previous = this.current;
    this.current = null;
    this.#putAway(previous);
    this.showNext(previous);
  }

  setSwapped(swapped) {
    if (this.swapped === swapped) return;
    this.swapped = swapped;
    if (swapped) this.swaps += 1;
    this.view.setSwapped(swapped);
    this.current?.nameClips(sideNames(swapped));
    this.view.announce(swapped ? "Sides changed over" : "Sides as before");
  }

  stop() {
    clearTimeout(this.#arrivalTimer);
    this.arriving?.pair.dispose();
    super.stop();
  }

  // A clip that is shown again at once stays on its side.
  addQuery(query) {
    const [left, right] = (this.queue.at(-1) ?? this.current)?.clips ?? [];
    const isTurned = query.right.url === left?.url || query.left.url === right?.url;
    this.queue.push(this.#newPair(query, isTurned));
  }

  onShown(pair) {
    super.onShown(pair);
    this.accepting = !this.arriving;
    this.swaps = this.swapped ? 1 : 0;
    const hint = this.marksOnly ? "Mark the moment that decided." : "Answer again to change it.";
    this.view.setReason(pair.reason, this.visiting, hint);
    this.#drawMoment();
    this.#tellWhatStays(pair);
  }

  onPainted() {
    this.current?.nameClips(sideNames(this.swapped));
    this.#drawHistory();
  }

  onLeave() {
    this.reasons.commit();
  }

  onTick(frames) {
    [this.root.dataset.frameLeft, this.root.dataset.frameRight] = frames;
  }

  onSettled(pair) {
    if (this.stopped || pair !== this.arriving?.pair) super.onSettled(pair);
    else if (pair.ready) this.#arrive();
    else if (pair.state === "failed") this.#giveUpArrival();
  }

  onRejected(key) {
    const entry = this.history.entries.find((other) => other.key === key);
    if (!entry) return;
    this.answered.delete(entry.query.query_id);
    this.history.remove(entry);
    this.#drawHistory();
  }

  onFeed(reply) {
    if (reply.history) {
      this.history.merge(reply.history, this.outbox.items.map((item) => item.query_id));
      for (const queryId of this.history.queryIds) this.answered.add(queryId);
      this.#drawHistory();
    }
    super.onFeed(reply);
  }

  // The same answer once more, with its reason; the server keeps when and how it was given.
  #sendReason(entry) {
    const { key: completes, choice, tags, comment, moment, query } = entry;
    entry.key = newKey();
    this.outbox.add({ key: entry.key, query_id: query.query_id, choice, completes, tags, comment, moment: moment ?? undefined });
    this.history.store();
  }

  #arrive() {
    const { entry, pair } = this.arriving;
    const previous = this.current;
    this.#cancelArrival();
    this.current = null;
    if (previous) this.#putAway(previous);
    this.visiting = entry;
    this.show(pair, previous);
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
    const pair = kept ?? this.#newPair(query, Boolean(entry.is_swapped));
    pair.moment = entry.moment ?? null;
    return pair;
  }

  // isTurned: whether the query's right clip is on the left.
  #newPair(query, isTurned) {
    const clips = isTurned ? [query.right, query.left] : [query.left, query.right];
    const pair = this.newSet({ id: query.query_id, queries: [query], clips, names: sideNames(false), reason: query.reason });
    return Object.assign(pair, { isTurned, moment: null });
  }

  #tellWhatStays(pair) {
    const urls = pair.clips.map((clip) => clip.url);
    const staying = pair.id === this.shownId ? -1 : urls.findIndex((url, side) => url === this.shownUrls?.[side]);
    pair.frames.forEach((frame, side) => frame.classList.toggle("pp-stays", side === staying));
    if (staying >= 0) this.said = `${this.said ?? ""}The ${staying ? "right" : "left"} clip stays. `;
    [this.shownId, this.shownUrls] = [pair.id, urls];
  }

  #drawMoment() {
    const { moment } = this.current;
    this.transport.mark(moment?.frame ?? null);
    this.moments.draw(moment, this.clock.fps);
  }

  #drawHistory() {
    this.history.visited = this.visiting;
    this.history.store();
    this.history.draw();
    this.reasons.speakOf(this.visiting ?? this.history.latest);
    this.reasons.draw();
    this.moments.ask(this.visiting ? null : this.history.latest);
    setEnabled(this.view.undo, this.history.latest !== null);
  }
}

// What the clips of a pair are called, its left one first.
function sideNames(swapped) {
  return swapped ? ["Right clip", "Left clip"] : ["Left clip", "Right clip"];
}
