// Asks the server for pairs and the run's status, as often as the need is.

const POLL_S = { waiting: 1, short: 3, idle: 10 };
const FIRST_WAIT_S = 0.1; // somebody who waits is looked after at once, then ever more rarely

class Feed {
  #timer = 0;
  #asking = false;
  #failures = 0;
  #emptyReplies = 0;
  #greeted = false;

  // have: () => ids of the pairs held; need: () => a key of POLL_S; onReply(reply); onProblem(): `problem` changed.
  constructor({ run, url, have, need, onReply, onProblem }) {
    Object.assign(this, { run, url, have, need, onReply, onProblem });
    this.problem = null; // why the server could not be asked, or null
    this.stopped = false;
  }

  async ask() {
    if (this.#asking || this.stopped) return;
    this.#asking = true;
    try {
      const url = new URL(this.url);
      url.search = new URLSearchParams({ run: this.run, have: this.have().join(","), history: this.#greeted ? 0 : 1 });
      const signal = AbortSignal.timeout(POST_TIMEOUT_MS);
      const reply = await readReply(await fetch(url, { cache: "no-store", headers: OURS, signal }));
      this.#failures = 0;
      this.#greeted = true;
      this.problem = null;
      this.#emptyReplies = reply.queue?.length ? 0 : this.#emptyReplies + 1;
      if (!this.stopped) this.onReply(reply);
    } catch (error) {
      this.#failures += 1;
      this.problem = error instanceof Refusal ? `The server says: ${error.message.replace(/\.$/, "")}` : "No connection";
    }
    this.#asking = false;
    if (this.stopped) return;
    this.onProblem();
    this.schedule();
  }

  schedule() {
    if (this.stopped) return;
    clearTimeout(this.#timer);
    const need = this.need();
    let delay = POLL_S[need];
    if (need === "waiting") delay = Math.min(delay, FIRST_WAIT_S * 2 ** this.#emptyReplies);
    if (this.#failures) delay = RETRY_S[Math.min(this.#failures, RETRY_S.length) - 1];
    this.#timer = setTimeout(() => (document.hidden ? this.schedule() : this.ask()), 1000 * delay);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.#timer);
  }
}
