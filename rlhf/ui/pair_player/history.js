// The answers that can be gone back to: kept for this tab, completed from the server, drawn as a strip.
// An entry is {key, choice, strength, both_bad, is_swapped, moment, tags, comment, query}.

const HISTORY = 20;
const MARKS = { left: "‹", "much-left": "«", right: "›", "much-right": "»", equal: "=", "both-bad": "×", skip: "?" };

class History {
  constructor(root, { run, resolve, onVisit }) {
    this.root = root;
    this.strip = root.querySelector('[data-part="history"]');
    this.list = this.strip.querySelector("ol");
    this.resolve = resolve;
    this.onVisit = onVisit;
    this.name = `preference-studio:history:${run}`;
    this.entries = recall(this.name, [], inThisTab).filter((entry) => entry?.query?.query_id && entry.choice);
    this.visited = null;
  }

  get latest() {
    return this.entries.at(-1) ?? null;
  }

  get queryIds() {
    return this.entries.map((entry) => entry.query.query_id);
  }

  // The one answered before `entry`; before no entry comes the latest.
  before(entry) {
    return this.entries[(entry ? this.entries.indexOf(entry) : this.entries.length) - 1] ?? null;
  }

  ofQuery(queryId) {
    return this.entries.find((entry) => entry.query.query_id === queryId) ?? null;
  }

  // A pair answered again moves to the end, as the answer to take back first.
  add(item, query) {
    const { key, choice, strength, both_bad, is_swapped, moment } = item;
    const entry = { key, choice, strength, both_bad, is_swapped, moment, tags: [], comment: "", query };
    this.entries = [...this.entries.filter((other) => other.query.query_id !== query.query_id), entry].slice(-HISTORY);
    return entry;
  }

  remove(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
  }

  // Older answers as the server has them; what this tab knows itself, or has yet to send, is newer.
  merge(entries, unsent) {
    const own = new Set([...this.queryIds, ...unsent]);
    const older = entries.filter((entry) => !own.has(entry.query.query_id));
    this.entries = [...older.map((entry) => ({ tags: [], comment: "", ...entry })), ...this.entries].slice(-HISTORY);
  }

  store() {
    remember(this.name, this.entries, inThisTab);
  }

  // The newest first. Elements stay who they are, so that focus and scroll position do.
  draw() {
    const known = new Map([...this.list.children].map((item) => [item.dataset.query, item]));
    const wanted = this.entries.map((entry) => known.get(entry.query.query_id) ?? this.#thumb(entry)).reverse();
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    for (const item of known.values()) if (!wanted.includes(item)) item.remove();
    wanted.forEach((item, index) => {
      if (this.list.children[index] !== item) this.list.insertBefore(item, this.list.children[index] ?? null);
    });
    this.entries.forEach((entry, index) => this.#mark(wanted.at(-1 - index), entry));
    if (focused && document.activeElement !== focused) (focused.isConnected ? focused : (this.list.querySelector("button") ?? this.root)).focus();
    this.strip.classList.toggle("pp-empty", !this.entries.length);
  }

  #thumb(entry) {
    const item = document.createElement("li");
    item.dataset.query = entry.query.query_id;
    item.innerHTML = '<button type="button" class="pp-thumb"><span></span><b aria-hidden="true"></b><span></span></button>';
    [entry.query.left, entry.query.right].forEach((clip, index) => {
      if (!clip.poster) return;
      const image = document.createElement("img");
      image.alt = "";
      image.decoding = "async";
      image.fetchPriority = "low";
      image.src = this.resolve(clip.poster);
      item.querySelectorAll("span")[index].append(image);
    });
    item.firstElementChild.addEventListener("click", () => this.onVisit(this.ofQuery(item.dataset.query)));
    return item;
  }

  #mark(item, entry) {
    const button = item.firstElementChild;
    const name = answerName(entry);
    const preferred = preferredClip(entry);
    const sides = button.querySelectorAll("span");
    sides.forEach((side, index) => side.classList.toggle("pp-preferred", preferred === index || name === "equal"));
    sides.forEach((side, index) => side.classList.toggle("pp-refused", preferred === 1 - index || name === "both-bad"));
    const side = preferred === 1 ? "right" : "left"; // as the strip shows them, even if they were changed over
    button.querySelector("b").textContent = MARKS[preferred === null ? name : entry.strength === 2 ? MUCH[side] : side];
    const ago = this.entries.length - this.entries.indexOf(entry);
    const when = entry.moment ? `, decided at ${(entry.moment.frame / entry.query.left.fps).toFixed(1)} s` : "";
    const words = `${ANSWERS[name].words}${when}${entry.is_swapped ? ", sides changed over" : ""}`;
    button.setAttribute("aria-label", `Answer ${ago === 1 ? "before this" : `${ago} back`}: ${words}. See the pair again`);
    button.title = `You said: ${words}`;
    if (entry === this.visited) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}
