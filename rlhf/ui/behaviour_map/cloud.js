// Very many dots on a canvas. They are written into the picture pixel by pixel: a hundred thousand in some milliseconds,
// without a graphics card. Coordinates of calls are CSS pixels of the canvas.

const CELLS = 128;
const MARGIN = 14;
const MOST_ZOOM = 60;
const FADED = 0.2;

class Cloud {
  #pixels = null;
  #drawing = 0;

  constructor(canvas, onDraw) {
    this.canvas = canvas;
    this.onDraw = onDraw;
    this.context = canvas.getContext("2d", { alpha: false });
    this.places = new Float32Array(0);
    this.chosen = null;
    this.zoomed = 1;
    this.colours = new Uint32Array(0);
    this.background = [255, 255, 255];
  }

  get length() {
    return this.places.length / 2;
  }

  show(places) {
    const isFirst = !this.length;
    this.places = places;
    this.chosen = null;
    this.#measure();
    this.#index();
    if (isFirst) this.fit();
    else this.invalidate();
  }

  resize() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (!width || !height || (this.width === width && this.height === height && this.ratio === ratio)) return;
    const centre = this.width ? this.#placeAt(this.width / 2, this.height / 2) : null;
    Object.assign(this, { width, height, ratio });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.#pixels = new Uint32Array(this.image.data.buffer);
    if (centre && this.length) this.#look(centre, this.zoomed);
  }

  fit() {
    this.#look([(this.low[0] + this.high[0]) / 2, (this.low[1] + this.high[1]) / 2], 1);
  }

  // Around a point that stays where it is.
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const zoomed = Math.max(1, Math.min(MOST_ZOOM, this.zoomed * factor));
    const change = zoomed / this.zoomed;
    const centre = this.#placeAt(x + (this.width / 2 - x) / change, y + (this.height / 2 - y) / change);
    this.#look(centre, zoomed);
  }

  move(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.invalidate();
  }

  at(index) {
    return [this.places[2 * index] * this.scale[0] + this.left, this.top - this.places[2 * index + 1] * this.scale[1]];
  }

  invalidate() {
    if (!this.#drawing) this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  stop() {
    cancelAnimationFrame(this.#drawing);
  }

  // The dot nearest to a spot, within reach; -1 if there is none.
  nearest(x, y, reach) {
    const [column, row] = this.#placeAt(x, y);
    const span = [reach / this.scale[0], reach / this.scale[1]];
    const cell = (value, axis) => Math.max(0, Math.min(CELLS - 1, Math.floor((value - this.low[axis]) / this.cell[axis])));
    let [best, found] = [reach * reach, -1];
    for (let j = cell(row - span[1], 1); j <= cell(row + span[1], 1); j += 1) {
      for (let i = cell(column - span[0], 0); i <= cell(column + span[0], 0); i += 1) {
        for (let k = this.cellStart[j * CELLS + i]; k < this.cellStart[j * CELLS + i + 1]; k += 1) {
          const [px, py] = this.at(this.cellItems[k]);
          const distance = (px - x) ** 2 + (py - y) ** 2;
          if (distance <= best) [best, found] = [distance, this.cellItems[k]];
        }
      }
    }
    return found;
  }

  // The dot to go to from one in a direction, at least so many pixels away; the same one if there is none.
  next(index, dx, dy, least) {
    const [x, y] = this.at(index);
    let [best, found] = [Infinity, index];
    for (let other = 0; other < this.length; other += 1) {
      const [px, py] = this.at(other);
      const along = (px - x) * dx + (py - y) * dy;
      const across = Math.abs((px - x) * dy + (py - y) * dx);
      if (along >= least && across <= along && along + across < best && this.#isVisible(px, py)) [best, found] = [along + across, other];
    }
    return found;
  }

  around(index, count) {
    const [x, y] = this.at(index);
    for (let reach = 8; ; reach *= 2) {
      const near = this.#where((other) => {
        const [px, py] = this.at(other);
        return Math.hypot(px - x, py - y) <= reach;
      });
      if (near.length < Math.min(count, this.length)) continue;
      const distance = new Map(near.map((other) => [other, this.at(other)]).map(([other, [px, py]]) => [other, Math.hypot(px - x, py - y)]));
      return near.sort((a, b) => distance.get(a) - distance.get(b)).slice(0, count);
    }
  }

  // Dots inside of a closed line. It is painted, and each dot looks what lies under it: the same time for any line.
  inside(path) {
    const mask = document.createElement("canvas");
    [mask.width, mask.height] = [this.width, this.height];
    const context = mask.getContext("2d", { willReadFrequently: true });
    context.fill(new Path2D(path));
    const { data } = context.getImageData(0, 0, mask.width, mask.height);
    return this.#where((index) => {
      const [x, y] = this.at(index).map(Math.floor);
      return this.#isVisible(x, y) && data[4 * (y * mask.width + x) + 3] > 127;
    });
  }

  #where(test) {
    const found = [];
    for (let index = 0; index < this.length; index += 1) if (test(index)) found.push(index);
    return found;
  }

  #isVisible(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  #placeAt(x, y) {
    return [(x - this.left) / this.scale[0], (this.top - y) / this.scale[1]];
  }

  #look(centre, zoomed) {
    this.zoomed = zoomed;
    const room = [this.width - 2 * MARGIN, this.height - 2 * MARGIN];
    this.scale = room.map((size, axis) => (zoomed * size) / (this.high[axis] - this.low[axis]));
    this.left = this.width / 2 - centre[0] * this.scale[0];
    this.top = this.height / 2 + centre[1] * this.scale[1];
    this.invalidate();
  }

  #measure() {
    const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
    for (let index = 0; index < this.places.length; index += 1) {
      const value = this.places[index];
      if (value < low[index % 2]) low[index % 2] = value;
      if (value > high[index % 2]) high[index % 2] = value;
    }
    for (const axis of [0, 1]) if (high[axis] - low[axis] < 1e-6) [low[axis], high[axis]] = [low[axis] - 1, high[axis] + 1];
    Object.assign(this, { low, high });
  }

  // Sorts the dots into cells, so that what lies under the pointer is found at once.
  #index() {
    this.cell = [0, 1].map((axis) => (this.high[axis] - this.low[axis]) / CELLS);
    const cellOf = new Uint32Array(this.length);
    this.cellStart = new Uint32Array(CELLS * CELLS + 1);
    for (let index = 0; index < this.length; index += 1) {
      const [i, j] = [0, 1].map((axis) => Math.min(CELLS - 1, Math.floor((this.places[2 * index + axis] - this.low[axis]) / this.cell[axis])));
      cellOf[index] = j * CELLS + i;
      this.cellStart[cellOf[index] + 1] += 1;
    }
    for (let cell = 0; cell < CELLS * CELLS; cell += 1) this.cellStart[cell + 1] += this.cellStart[cell];
    const next = this.cellStart.slice();
    this.cellItems = new Uint32Array(this.length);
    for (let index = 0; index < this.length; index += 1) this.cellItems[next[cellOf[index]]++] = index;
  }

  #radius() {
    const crowd = Math.max(1.4, Math.min(5, 7.5 - 1.25 * Math.log10(this.length + 1)));
    return this.ratio * Math.min(7, crowd * this.zoomed ** 0.25);
  }

  #draw() {
    this.#drawing = 0;
    if (!this.#pixels || !this.length) return;
    const started = performance.now();
    this.#pixels.fill(packed(this.background));
    const { chosen } = this;
    if (!chosen) this.#paint(() => true, 1);
    else {
      this.#paint((index) => !chosen[index], FADED);
      this.#paint((index) => chosen[index], 1);
    }
    this.context.putImageData(this.image, 0, 0);
    this.onDraw(performance.now() - started);
  }

  #paint(isPainted, strength) {
    const [pixels, width, height] = [this.#pixels, this.canvas.width, this.canvas.height];
    const { ratio, places, colours } = this;
    const radius = this.#radius();
    const reach = Math.ceil(radius);
    const dot = dotOf(radius, reach, width, strength);
    const [sx, sy, left, top] = [this.scale[0] * ratio, this.scale[1] * ratio, this.left * ratio, this.top * ratio];
    for (let index = 0; index < this.length; index += 1) {
      const x = Math.round(places[2 * index] * sx + left);
      const y = Math.round(top - places[2 * index + 1] * sy);
      if (x < reach || y < reach || x >= width - reach || y >= height - reach || !isPainted(index)) continue;
      const [colour, centre] = [colours[index], y * width + x];
      const [redBlue, green] = [colour & 0xff00ff, colour & 0x00ff00];
      for (let k = 0; k < dot.length; k += 2) {
        const at = centre + dot[k];
        const share = dot[k + 1];
        if (share === 256) pixels[at] = colour;
        else {
          const below = pixels[at];
          const rest = 256 - share;
          const mixed = ((redBlue * share + (below & 0xff00ff) * rest) >>> 8) & 0xff00ff;
          pixels[at] = (0xff000000 | mixed | (((green * share + (below & 0x00ff00) * rest) >>> 8) & 0x00ff00)) >>> 0;
        }
      }
    }
  }
}

// The pixels of a dot, as pairs of where they lie from its centre and how much of 256 they are covered.
function dotOf(radius, reach, width, strength) {
  const parts = [];
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      const covered = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(x, y)));
      if (covered > 0) parts.push(y * width + x, Math.round(256 * covered * strength));
    }
  }
  return Int32Array.from(parts);
}
