// A player whose answers can be taken back one after the other, but not gone back to: rankings and ratings.

const PLAIN_KEYS = { s: "skip", z: "undo", Backspace: "back" };

class FormPlayer extends ClipPlayer {
  // form: what the server calls these answers; count: how many pairs one of them answers.
  constructor(root, options, { form, count, words }) {
    super(root, options, new View(root, words));
    Object.assign(this, { form, count });
    this.trail = new Trail(`preference-studio:${form}:${this.run}`);
    setEnabled(this.view.undo, this.trail.entries.length > 0);
  }

  // fields: what is said of the clips on screen; words: the same for people.
  send(fields, words) {
    const set = this.current;
    const item = this.item({ form: this.form, ...this.subjectOf(set), ...fields });
    this.outbox.add(item);
    const { id, queries, clips, names, reason } = set;
    this.trail.add(item.key, { id, queries, clips, names, reason });
    this.goOn(set);
    this.sitting.add(this.shownAt, new Date(item.answered_at), this.count);
    this.said = `${words}. `;
  }

  // Takes back the latest answer of this tab; its clips are asked about again.
  undo() {
    const entry = this.trail.take();
    if (!entry) return;
    const kept = this.past.find((set) => set.id === entry.parts.id);
    this.past = this.past.filter((set) => set !== kept);
    const set = kept ?? this.newSet(entry.parts);
    this.outbox.add(this.item({ form: this.form, ...this.subjectOf(set), of: entry.key }));
    this.sitting.takeBack(this.count);
    this.said = "Taken back. ";
    this.askAgain(set);
  }

  onPainted() {
    setEnabled(this.view.undo, this.trail.entries.length > 0);
  }

  onRejected(key) {
    const entry = this.trail.take(key);
    for (const query of entry?.parts.queries ?? []) this.answered.delete(query.query_id);
  }

  // What an answer about a set names: the server's words for its clips.
  subjectOf(_set) {
    return {};
  }
}

// digits: how many keys stand for something of their own; act(player, word): true when it was understood.
function listenToForm(digits, act) {
  return (player, signal) => {
    const onKey = (event) => {
      if (belongsElsewhere(event)) return;
      if (event.key === "Enter" && event.composedPath()[0].closest?.("button, a, [role=button]")) return;
      const digit = /^[1-9]$/.test(event.key) && Number(event.key) <= digits ? Number(event.key) : null;
      const word = digit ?? PLAIN_KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? event.key;
      if (!act(player, word) && !player.transport.handleKey(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    };
    document.addEventListener("keydown", onKey, { signal });
    for (const button of player.root.querySelectorAll("[data-act]")) {
      const word = Number(button.dataset.act) || button.dataset.act;
      button.addEventListener("click", () => act(player, word), { signal });
    }
  };
}
