// What was chosen on the map: how many, some of their clips from the lowest to the highest reward, and questions about them.

const TILES = 8;
const MOST_SENT = 400; // of those chosen; the server tries out pairs of them

class Chosen {
  #turn = 0;

  constructor(root, { base, run, finder }) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    Object.assign(this, { base, run, finder, root: part("chosen"), summary: part("summary"), reply: part("reply"), count: part("count") });
    [this.askButton, this.othersButton, this.clearButton] = ["ask", "others", "clear"].map(part);
    this.tiles = Array.from({ length: TILES }, () => new ClipTile());
    part("tiles").replaceChildren(...this.tiles.map((tile) => tile.root));
    this.askButton.addEventListener("click", () => this.#ask());
    this.othersButton.addEventListener("click", () => this.#showClips(this.#turn + 1));
    this.indices = [];
  }

  // isSame: the same behaviour on a newer map, so what plays goes on.
  show(points, indices, isSame) {
    this.points = points;
    const isChosen = new Uint8Array(points.length);
    for (const index of indices) isChosen[index] = 1;
    this.indices = [...points.byReward.filter((index) => isChosen[index])];
    this.root.hidden = !indices.length;
    if (!isSame) this.reply.textContent = "";
    this.finder.stop();
    if (!indices.length) {
      for (const tile of this.tiles) tile.stop();
      return;
    }
    this.summary.textContent = points.summary(indices);
    this.othersButton.hidden = indices.length <= TILES;
    this.#showClips(isSame ? this.#turn : 0);
  }

  // Evenly over the chosen ones in the order of their reward; each turn one further on.
  #showClips(turn) {
    this.#turn = turn;
    const number = Math.min(TILES, this.indices.length);
    const stride = this.indices.length / number;
    const shown = Array.from({ length: number }, (_, slot) => this.indices[Math.floor(slot * stride + (turn % Math.max(1, Math.floor(stride))))]);
    this.tiles.forEach((tile, slot) => {
      tile.root.hidden = slot >= number;
      if (slot >= number) tile.stop();
    });
    const pieces = shown.map((index) => this.points.piece(index));
    this.finder.find(pieces, (known) => {
      shown.forEach((index, slot) => this.tiles[slot].show(known.get(pieces[slot]), this.points.describe(index), this.base));
    });
  }

  async #ask() {
    if (this.askButton.getAttribute("aria-disabled") === "true") return;
    setEnabled(this.askButton, false);
    this.reply.textContent = "Choosing pairs…";
    try {
      const pieces = sampled(this.indices, MOST_SENT).map((index) => this.points.piece(index));
      const { message } = await post(this.base, "api/map/questions", { run: this.run, pieces, count: Number(this.count.value) });
      const link = document.createElement("a");
      link.href = new URL(`label?run=${encodeURIComponent(this.run)}`, this.base).href;
      link.textContent = "Answer them";
      this.reply.replaceChildren(`${message} `, link);
    } catch (error) {
      this.reply.textContent = error.message;
    } finally {
      setEnabled(this.askButton, true);
    }
  }
}

function sampled(items, most) {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, slot) => items[Math.floor((slot + Math.random()) * (items.length / most))]);
}
