// What was answered in this tab and can be taken back, the latest last. An entry is {key, parts}.

const TRAIL = 20;

class Trail {
  constructor(name) {
    this.name = name;
    this.entries = recall(name, [], inThisTab).filter((entry) => entry?.key && entry.parts);
  }

  // parts: what newSet takes, so that the clips can be shown again.
  add(key, parts) {
    this.#keep([...this.entries, { key, parts }].slice(-TRAIL));
  }

  // Takes the latest away, or the one with this key; returns it, or undefined.
  take(key = this.entries.at(-1)?.key) {
    const taken = this.entries.find((entry) => entry.key === key);
    this.#keep(this.entries.filter((entry) => entry !== taken));
    return taken;
  }

  #keep(entries) {
    this.entries = entries;
    remember(this.name, entries, inThisTab);
  }
}
