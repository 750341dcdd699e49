// Why the last answer was given: tags and a comment, both optional, sent a little after it.

const TAGS = ["nearer the goal", "faster", "smoother", "steadier", "fewer mistakes", "more natural"];
const OWN_TAGS_NAME = "preference-studio:tags";
const OWN_TAGS = 3;
const MOST_TAGS = 8;
const SETTLE_MS = 900; // several tags in a row are one message

class Reasons {
  #timer = 0;
  #dirty = false;

  // onChange(entry): its tags or comment are to be sent.
  constructor(root, { onChange }) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.root = root;
    this.row = part("reasons");
    this.label = part("reasons-label");
    this.chips = part("tags");
    this.ownTag = part("own-tag");
    this.comment = part("comment");
    this.onChange = onChange;
    this.entry = null;
    this.own = recall(OWN_TAGS_NAME, []).filter((tag) => typeof tag === "string").slice(-OWN_TAGS);
    this.#listen();
    this.draw();
  }

  // Speaks of this answer from now on, null: of none; `draw` shows it when there is time.
  speakOf(entry) {
    if (entry === this.entry) return;
    this.commit();
    this.entry = entry;
    this.comment.value = entry?.comment ?? "";
  }

  toggle(tag) {
    if (!this.entry) return;
    const { tags } = this.entry;
    if (!tags.includes(tag) && tags.length >= MOST_TAGS) return;
    this.entry.tags = tags.includes(tag) ? tags.filter((other) => other !== tag) : [...tags, tag];
    this.#changed();
  }

  // The digit keys: 1 is the first tag.
  toggleNumber(number) {
    const tag = this.#offered[number - 1];
    if (tag !== undefined) this.toggle(tag);
  }

  writeComment() {
    if (!this.entry) return;
    this.draw(); // a row that is not drawn yet takes no focus
    this.comment.focus();
  }

  // Sends what changed, now.
  commit() {
    clearTimeout(this.#timer);
    if (!this.#dirty) return;
    this.#dirty = false;
    this.onChange(this.entry);
  }

  draw() {
    this.row.classList.toggle("pp-empty", !this.entry);
    this.label.textContent = this.entry ? `You said: ${ANSWERS[answerName(this.entry)].words}. Why?` : "";
    const offered = this.#offered;
    while (this.chips.children.length > offered.length) this.chips.lastElementChild.remove();
    offered.forEach((tag, index) => {
      const chip = this.chips.children[index] ?? this.#addChip();
      chip.querySelector("span").textContent = chip.dataset.tag = tag;
      chip.querySelector("kbd").textContent = index < 9 ? index + 1 : "";
      chip.setAttribute("aria-pressed", Boolean(this.entry?.tags.includes(tag)));
    });
  }

  get #offered() {
    return [...new Set([...TAGS, ...this.own, ...(this.entry?.tags ?? [])])];
  }

  #changed() {
    this.#dirty = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.commit(), SETTLE_MS);
    this.draw();
  }

  #addChip() {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "pb-button pp-chip";
    chip.innerHTML = '<kbd aria-hidden="true"></kbd><span></span>';
    chip.addEventListener("click", () => this.toggle(chip.dataset.tag));
    this.chips.append(chip);
    return chip;
  }

  #listen() {
    this.comment.addEventListener("input", () => {
      if (!this.entry) return;
      this.entry.comment = this.comment.value.trim();
      this.#changed();
    });
    this.ownTag.addEventListener("change", () => this.#addOwnTag());
    for (const field of [this.ownTag, this.comment]) {
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        if (field === this.ownTag) this.#addOwnTag();
        this.commit();
        this.root.focus({ preventScroll: true }); // the keys answer again
      });
    }
  }

  #addOwnTag() {
    const tag = this.ownTag.value.trim().toLowerCase();
    this.ownTag.value = "";
    if (!tag || !this.entry) return;
    if (!TAGS.includes(tag)) {
      this.own = [...this.own.filter((other) => other !== tag), tag].slice(-OWN_TAGS);
      remember(OWN_TAGS_NAME, this.own);
    }
    if (this.entry.tags.includes(tag)) this.draw();
    else this.toggle(tag);
  }
}
