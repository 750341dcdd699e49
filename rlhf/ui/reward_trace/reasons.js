// Which features made the reward of the frame that is shown: a bar for each feature and clip.

const LEAST_OTHERS = 0.005; // less reads as nothing

class TraceReasons {
  #lines = []; // by feature, then by clip

  constructor(holder) {
    this.holder = holder;
  }

  // features: [{name, unit}]; clips: [{values, contributions}], a list per feature, the last one of all others.
  show(features, clips, { addsUp }) {
    this.clips = clips.map(({ values, contributions }) => ({
      values,
      contributions: addsUp ? contributions.map(runningSum) : contributions,
    }));
    this.features = features;
    const all = this.clips.flatMap((clip) => clip.contributions.flat());
    this.scale = Math.max(1e-6, ...[Math.max(...all), -Math.min(...all)]);
    const names = features.map(({ name }) => name);
    if (this.clips.some(({ contributions }) => contributions.at(-1).some((value) => Math.abs(value) >= LEAST_OTHERS))) {
      names.push("all other features");
    }
    this.#lines = [];
    this.holder.replaceChildren(...names.map((name, index) => this.#row(name, index)));
  }

  // steps: the one that each clip shows.
  moveTo(steps) {
    this.#lines.forEach((lines, feature) => {
      lines.forEach(({ bar, number, value }, clip) => {
        const step = steps[clip];
        const adds = this.clips[clip].contributions[feature][step];
        const share = (50 * Math.abs(adds)) / this.scale;
        bar.style.width = `${share}%`;
        bar.style.left = `${adds < 0 ? 50 - share : 50}%`;
        writeText(number, signedNumber(adds));
        const known = this.features[feature];
        if (known) writeText(value, `${shortNumber(this.clips[clip].values[feature][step])} ${known.unit}`);
      });
    });
  }

  #row(name, feature) {
    const row = document.createElement("tr");
    const title = document.createElement("th");
    title.scope = "row";
    title.textContent = name;
    const cells = ["value", "bar", "number"].map((kind) => {
      const cell = document.createElement("td");
      cell.className = `tr-cell-${kind}`;
      return cell;
    });
    this.#lines[feature] = this.clips.map((_, clip) => {
      const [value, track, number] = cells.map((cell) => cell.appendChild(document.createElement("div")));
      track.className = `tr-track tr-clip-${clip}`;
      return { value, number, bar: track.appendChild(document.createElement("i")) };
    });
    row.append(title, ...cells);
    return row;
  }
}

function runningSum(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}

// Three figures that tell something, and no zero with a sign.
function shortNumber(value) {
  const size = Math.abs(value);
  const text = value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3);
  return Number(text) === 0 ? "0" : text.replace("-", "−");
}

function signedNumber(value) {
  const size = Math.abs(value);
  if (size < 0.005) return "0.00";
  return `${value > 0 ? "+" : "−"}${size.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)}`;
}

function writeText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
