// The ranking player: the four clips of two pairs, picked best first.

const PLACES = ["1st", "2nd", "3rd", "4th"];
const WHY_FOUR = "Two pairs were to be compared; one order of all four clips answers both.";
const FOUR = { one: "four clips", many: "clips", why: "Why these clips?", play: "Play all clips" };

class RankingPlayer extends FormPlayer {
  constructor(root, options) {
    super(root, options, { form: "ranking", count: 2, words: FOUR });
    this.picks = []; // indices of clips, the best first
    this.picksName = `preference-studio:picks:${this.run}`;
    this.loose = []; // queries that wait for another one
    this.targets = [...root.querySelectorAll("[data-clip]")];
    this.sendButton = root.querySelector('[data-act="Enter"]');
    for (const { query_ids: ids } of this.outbox.items) for (const id of ids ?? []) this.answered.add(id);
    this.#drawPicks();
  }

  get nameOfCurrent() {
    return "Four clips are";
  }

  // Gives a clip the next place, or takes the place it has away.
  pick(index) {
    if (!this.#isOpen) return;
    const isPicked = this.picks.includes(index);
    this.#setPicks(isPicked ? this.picks.filter((other) => other !== index) : [...this.picks, index]);
    const place = isPicked ? "no place" : PLACES[this.picks.length - 1];
    this.view.announce(`${this.current.names[index]}: ${place}`);
  }

  takePickBack() {
    if (this.#isOpen) this.#setPicks(this.picks.slice(0, -1));
  }

  // The clips left out are in no order, but worse; without any there is nothing to send.
  sendPicks() {
    if (this.#isOpen && this.picks.length) this.#send(this.picks);
  }

  skip() {
    if (this.#isOpen) this.#send([]);
  }

  addQuery(query) {
    const partner = this.loose.find((other) => !sharesClip(other, query));
    if (!partner) {
      this.loose.push(query);
      return;
    }
    this.loose = this.loose.filter((other) => other !== partner);
    const queries = [partner, query];
    this.queue.push(
      this.newSet({
        id: queries.map((one) => one.query_id).join("+"),
        queries,
        clips: queries.flatMap(clipsOf),
        names: [1, 2, 3, 4].map((number) => `Clip ${number}`),
        reason: WHY_FOUR,
      }),
    );
  }

  held() {
    return [...super.held(), ...this.loose.map((query) => query.query_id)];
  }

  onShown(set) {
    super.onShown(set);
    const kept = recall(this.picksName, {}, inThisTab);
    this.#setPicks(kept.id === set.id && Array.isArray(kept.picks) ? kept.picks : []);
  }

  subjectOf(set) {
    return { query_ids: set.queryIds };
  }

  get #isOpen() {
    return this.current !== null && this.accepting;
  }

  #send(picks) {
    const clips = this.current.queryIds.flatMap((id) => [[id, "left"], [id, "right"]]);
    const order = picks.map((index) => this.current.names[index]).join(", ");
    this.picks = [];
    this.send({ places: picks.map((index) => clips[index]) }, order || "Could not tell");
    this.#drawPicks();
  }

  #setPicks(picks) {
    this.picks = picks;
    remember(this.picksName, { id: this.current.id, picks }, inThisTab);
    this.#drawPicks();
  }

  // With three places given the last clip has the fourth.
  #drawPicks() {
    const { picks } = this;
    const last = picks.length === 3 ? [0, 1, 2, 3].find((index) => !picks.includes(index)) : -1;
    this.targets.forEach((target, index) => {
      const place = index === last ? PLACES[3] : (PLACES[picks.indexOf(index)] ?? "");
      target.querySelector("b").textContent = place;
      target.setAttribute("aria-pressed", picks.includes(index));
      target.setAttribute("aria-label", `Clip ${index + 1}${place ? `, ${place}` : ""}`);
    });
    this.root.dataset.picks = picks.map((index) => index + 1).join("");
    setEnabled(this.sendButton, picks.length > 0);
    this.sendButton.querySelector("span").textContent = picks.length === 1 ? "Send: best of four" : "Send the order";
  }
}

function clipsOf(query) {
  return [query.left, query.right];
}

function sharesClip(first, second) {
  const urls = clipsOf(first).map((clip) => clip.url);
  return clipsOf(second).some((clip) => urls.includes(clip.url));
}

// True when the word was ours.
function actOnRanking(player, word) {
  if (Number.isInteger(word)) player.pick(word - 1);
  else if (word === "Enter") player.sendPicks();
  else if (word === "back") player.takePickBack();
  else if (word === "skip") player.skip();
  else if (word === "undo") player.undo();
  else return false;
  return true;
}

export default mounting("ranking-player", (root, data) => new RankingPlayer(root, data), listenToForm(4, actOnRanking));
