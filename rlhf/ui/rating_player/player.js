// The rating player: one clip, five values.

const VALUES = ["very bad", "bad", "so-so", "good", "very good"];
const WHY_ONE = "It is one of a pair that was to be compared; its other clip comes too.";
const ONE = { one: "clip", many: "clips", why: "Why this clip?", play: "Play the clip" };
const SIDES = ["left", "right"];

class RatingPlayer extends FormPlayer {
  constructor(root, options) {
    super(root, options, { form: "rating", count: 0.5, words: ONE });
  }

  get nameOfCurrent() {
    return "A clip is";
  }

  // value: 1 to 5; null is "can't tell".
  rate(value) {
    if (!this.current || !this.accepting) return;
    this.send({ rating: value ?? undefined }, value ? VALUES[value - 1] : "Could not tell");
  }

  addQuery(query) {
    const unsent = SIDES.filter((side) => this.outbox.items.some((item) => item.query_id === query.query_id && item.side === side));
    const told = SIDES.filter((side) => this.trail.entries.some(({ parts }) => parts.id === idOf(query, side)));
    // Of a pair that is asked about although both its clips were rated here, the server knows neither rating.
    const done = told.length === SIDES.length ? unsent : [...unsent, ...told];
    for (const side of SIDES.filter((one) => !done.includes(one))) {
      this.queue.push(this.newSet({ id: idOf(query, side), queries: [query], clips: [query[side]], names: ["Clip"], reason: WHY_ONE }));
    }
  }

  subjectOf(set) {
    const [queryId] = set.queryIds;
    return { query_id: queryId, side: set.id.slice(queryId.length + 1) };
  }
}

function idOf(query, side) {
  return `${query.query_id}:${side}`;
}

// True when the word was ours.
function actOnRating(player, word) {
  if (Number.isInteger(word)) player.rate(word);
  else if (word === "skip") player.rate(null);
  else if (word === "undo" || word === "back") player.undo();
  else return false;
  return true;
}

export default mounting("rating-player", (root, data) => new RatingPlayer(root, data), listenToForm(VALUES.length, actOnRating));
