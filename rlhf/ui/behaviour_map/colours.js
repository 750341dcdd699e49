// What the dots can be coloured by: a ramp from low to high, or one colour for each kind.

const RAMP = [[47, 111, 222], [125, 95, 208], [200, 80, 145], [233, 118, 64], [240, 176, 44]]; // seen on light and on dark
const GREY = [128, 132, 145];
const KINDS = [[47, 111, 222], [230, 110, 50], [29, 148, 115], [160, 75, 180], GREY];
const SHADES = 64;

function rampColour(share) {
  const at = Math.max(0, Math.min(0.9999, share)) * (RAMP.length - 1);
  const [low, high] = [RAMP[Math.floor(at)], RAMP[Math.floor(at) + 1]];
  return low.map((part, index) => Math.round(part + (high[index] - part) * (at % 1)));
}

function cssColour(colour) {
  return `rgb(${colour.join(" ")})`;
}

// As a pixel of an ImageData seen as 32-bit numbers, on the little-endian machines that browsers run on.
function packed([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// Numbers from low to high; a few wild ones do not stretch the scale.
class Scale {
  constructor(name, values, { digits, low, high, missing = null }) {
    Object.assign(this, { name, values, digits, words: [low, high], missing });
    const known = Float64Array.from(missing ? values.filter((value) => !missing.test(value)) : values).sort();
    const at = (share) => known[Math.round(share * (known.length - 1))] ?? 0;
    [this.low, this.high] = [at(0.01), at(0.99)];
  }

  colours() {
    const shades = Array.from({ length: SHADES }, (_, index) => packed(rampColour(index / (SHADES - 1))));
    const step = (SHADES - 1) / (this.high - this.low || 1);
    return Uint32Array.from(this.values, (value) => {
      if (this.missing?.test(value)) return packed(GREY);
      return shades[Math.max(0, Math.min(SHADES - 1, Math.round((value - this.low) * step)))];
    });
  }

  legend() {
    const ramp = document.createElement("span");
    ramp.className = "bm-ramp";
    ramp.style.background = `linear-gradient(to right, ${RAMP.map(cssColour).join(", ")})`;
    const ends = [this.low, this.high].map((value, index) => `${this.words[index]} (${value.toFixed(this.digits)})`);
    const missing = this.missing && this.values.some(this.missing.test) ? [legendKey(GREY, this.missing.word)] : [];
    return [ends[0], ramp, ends[1], ...missing];
  }
}

class Kinds {
  constructor(name, values, words) {
    Object.assign(this, { name, values, words });
    this.shown = words.map((word) => KINDS[word.colour]);
  }

  colours() {
    const shades = this.shown.map(packed);
    return Uint32Array.from(this.values, (value) => shades[value] ?? packed(GREY));
  }

  legend() {
    const counts = new Uint32Array(this.words.length);
    for (const value of this.values) counts[value] += 1;
    const keys = this.words.map((word, index) => legendKey(this.shown[index], `${word.text}: ${counts[index].toLocaleString()}`));
    return keys.filter((_, index) => counts[index]);
  }
}

function legendKey(colour, text) {
  const key = document.createElement("span");
  key.className = "bm-key";
  key.innerHTML = '<span class="bm-dot"></span><span></span>';
  key.firstChild.style.background = cssColour(colour);
  key.lastChild.textContent = text;
  return key;
}
