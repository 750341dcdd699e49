// The points of a map as the server sends them, and what is said of one in words.

const VERDICTS = [
  { text: "no answer", colour: 4 },
  { text: "preferred", colour: 2 },
  { text: "not preferred", colour: 1 },
  { text: "as good as others", colour: 0 },
  { text: "nobody could tell", colour: 3 },
];
const SOURCES = [
  { text: "from questions", colour: 0 },
  { text: "recorded episodes", colour: 1 },
  { text: "demonstrations", colour: 2 },
];
const BY_HAND = { test: (version) => version < 0, word: "shown by somebody" };

class Points {
  constructor(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    Object.assign(this, JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))));
    let at = 4 + length;
    const take = (Type, count) => {
      const column = new Type(buffer, at, count);
      at += column.byteLength;
      return column;
    };
    const number = this.points;
    this.places = take(Float32Array, 2 * number);
    this.reward = take(Float32Array, number);
    this.spread = take(Float32Array, number);
    this.version = take(Int32Array, number);
    this.start = take(Int32Array, number);
    this.source = take(Uint8Array, number);
    this.verdict = take(Uint8Array, number);
    this.ids = take(Uint8Array, number * this.id_bytes);
    this.byReward = Uint32Array.from({ length: number }, (_, index) => index).sort((a, b) => this.reward[a] - this.reward[b]);
  }

  get length() {
    return this.points;
  }

  // What the dots can be coloured by, the most telling first.
  colourings() {
    const version = new Scale("Policy version", this.version, { digits: 0, low: "first", high: "newest", missing: BY_HAND });
    const kinds = [version, new Kinds("Answers", this.verdict, VERDICTS), new Kinds("Source", this.source, SOURCES)];
    if (!this.reward_version) return kinds;
    return [
      new Scale("Reward", this.reward, { digits: 1, low: "low", high: "high" }),
      new Scale("Disagreement", this.spread, { digits: 2, low: "agreed", high: "not agreed" }),
      ...kinds,
    ];
  }

  // The name of a point's behaviour for the server.
  piece(index) {
    const bytes = this.ids.subarray(index * this.id_bytes, (index + 1) * this.id_bytes);
    const end = bytes.indexOf(0);
    return `${new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))}:${this.start[index]}`;
  }

  describe(index) {
    const version = this.version[index];
    const parts = [version < 0 ? "shown by somebody" : `policy version ${version}`];
    if (this.reward_version) parts.unshift(`reward ${this.reward[index].toFixed(2)} ± ${this.spread[index].toFixed(2)}`);
    if (this.verdict[index]) parts.push(VERDICTS[this.verdict[index]].text);
    return parts.join(" · ");
  }

  // What is said of several chosen points.
  summary(indices) {
    let [sum, first, last] = [0, Infinity, -Infinity];
    for (const index of indices) {
      sum += this.reward[index];
      const version = this.version[index];
      if (version >= 0) [first, last] = [Math.min(first, version), Math.max(last, version)];
    }
    const parts = [`${indices.length.toLocaleString()} chosen`];
    if (this.reward_version) parts.push(`mean reward ${(sum / indices.length).toFixed(2)}`);
    if (first <= last) parts.push(first === last ? `policy version ${first}` : `policy versions ${first} to ${last}`);
    return parts.join(" · ");
  }
}
