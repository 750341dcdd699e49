// Answers on their way to the server. Each is written to localStorage before anything else happens and is
// removed only when the server has acknowledged its key, so a reload, a crash or a lost connection costs nothing.

const RETRY_S = [1, 2, 4, 8, 15];
const BATCH = 50; // about 15 KB: a keepalive request may carry 64 KB
const AFTER_PAINT_MS = 20; // the next pair goes first; closing the page in between sends at once
const POST_TIMEOUT_MS = 15000;
const OURS = { "X-Preference-Studio": "1" }; // a page of another site cannot send it

class Outbox {
  #timer = 0;
  #sending = false;
  #released = false;
  #inFlight = [];

  // have: () => ids of the pairs held; onReply(reply): the server's answer; onChange(): pending or problem changed.
  constructor({ run, url, have, onReply, onChange }) {
    this.run = run;
    this.url = url;
    this.have = have;
    this.onReply = onReply;
    this.onChange = onChange;
    this.name = `preference-studio:outbox:${run}`;
    this.items = this.#stored();
    this.failures = 0;
    this.problem = null;
    this.saved = 0;
  }

  add(answer) {
    this.items.push(answer);
    this.#store();
    this.onChange();
    if (this.#timer) return; // a retry is due: it takes this answer along
    this.#timer = setTimeout(() => this.flush(), AFTER_PAINT_MS);
  }

  // Sends everything, now; one request at a time keeps the order (an undo follows its answer).
  async flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#sending || !this.items.length) return;
    this.#sending = true;
    this.#inFlight = this.items.slice(0, BATCH);
    try {
      const reply = await this.#post(this.#inFlight);
      const unacknowledged = this.items.length;
      this.#settle(reply.results ?? []);
      if (this.items.length === unacknowledged) throw new Error("the server did not acknowledge the answers");
      this.failures = 0;
      this.problem = null;
      this.onReply(reply);
    } catch (error) {
      this.failures += 1;
      this.problem = error instanceof Refusal ? `Not saved yet (${error.message})` : "Offline";
    }
    this.#sending = false;
    this.#inFlight = [];
    this.onChange();
    if (!this.items.length || this.#timer) return;
    const delay = this.failures ? RETRY_S[Math.min(this.failures, RETRY_S.length) - 1] : 0;
    this.#timer = setTimeout(() => this.flush(), delay * 1000);
  }

  // The page is going away: what is not on the wire yet is put there; keepalive outlives the page.
  flushOnLeave() {
    const rest = this.items.filter((item) => !this.#inFlight.includes(item));
    for (let start = 0; start < Math.min(rest.length, 3 * BATCH); start += BATCH) {
      this.#post(rest.slice(start, start + BATCH)).catch(() => {}); // still in localStorage if this fails
    }
  }

  // The player is gone but the document is not: go on sending what is left, tell nobody.
  release() {
    this.#released = true;
    this.have = () => [];
    this.onReply = this.onChange = () => {};
    this.flush();
  }

  async #post(answers) {
    const response = await fetch(this.url, {
      method: "POST",
      keepalive: true,
      headers: { "Content-Type": "application/json", ...OURS },
      body: JSON.stringify({ run: this.run, answers, have: this.have() }),
      signal: this.#released ? undefined : AbortSignal.timeout(POST_TIMEOUT_MS),
    });
    return readReply(response);
  }

  #settle(results) {
    const keys = new Set(results.map((result) => result.key));
    this.saved += results.filter((result) => result.outcome === "saved" || result.outcome === "late").length;
    this.items = this.items.filter((item) => !keys.has(item.key));
    this.#store(keys);
  }

  #stored() {
    return recall(this.name, []);
  }

  // Another tab may keep answers under the same name: add ours, take away only what was acknowledged.
  #store(acknowledged = new Set()) {
    const mine = new Set(this.items.map((item) => item.key));
    const others = this.#stored().filter((item) => !mine.has(item.key) && !acknowledged.has(item.key));
    const all = [...others, ...this.items];
    if (all.length) remember(this.name, all);
    else forget(this.name);
  }
}

async function readReply(response) {
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new Refusal(body?.error ?? `The server answered ${response.status}`);
}

// crypto.randomUUID exists only on https and localhost; a studio on a local network has neither.
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
