// How far the annotator is today: answers against the goal, the pace, and when a break would do good.

const DEFAULT_GOAL = 20;
const PACE_OF = 10; // latest answers
const LONGEST_LOOK_MS = 60_000; // whoever took longer did something else
const BREAK_AFTER_MS = 20 * 60_000;
const PAUSE_MS = 3 * 60_000; // without an answer: they had a break
const GOAL_NAME = "preference-studio:goal";
const TODAY_NAME = "preference-studio:today";

class Sitting {
  constructor(root, { onGoal, onTired }) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.count = part("count");
    this.pace = part("pace");
    this.progress = part("progress");
    this.onGoal = onGoal;
    this.onTired = onTired;
    this.goal = recall(GOAL_NAME, DEFAULT_GOAL);
    this.times = [];
    this.total = null;
    this.draw();
  }

  // Given today, in this browser; whole ones.
  get answers() {
    return Math.floor(this.#today().answers);
  }

  // 0 means without a goal.
  setGoal(goal) {
    this.goal = Number.isFinite(goal) ? Math.min(9999, Math.max(0, Math.round(goal))) : DEFAULT_GOAL;
    remember(GOAL_NAME, this.goal);
    this.draw();
  }

  // count: how many pairs were answered; two by a ranking, half a one by the rating of one clip.
  add(shownAt, answeredAt, count = 1) {
    const today = this.#today();
    const gap = answeredAt - today.last_at;
    today.active_ms = gap >= 0 && gap < PAUSE_MS ? today.active_ms + gap : 0;
    today.last_at = answeredAt.getTime();
    const before = today.answers;
    today.answers += count;
    this.times = [...this.times, Math.min(LONGEST_LOOK_MS, answeredAt - shownAt) / count].slice(-PACE_OF);
    if (today.active_ms >= BREAK_AFTER_MS) {
      today.active_ms = 0;
      this.onTired();
    }
    remember(TODAY_NAME, today);
    if (before < this.goal && today.answers >= this.goal) this.onGoal(this.goal);
  }

  takeBack(count = 1) {
    const today = this.#today();
    remember(TODAY_NAME, { ...today, answers: Math.max(0, today.answers - count) });
  }

  setTotal(total) {
    this.total = total;
    this.draw();
  }

  draw() {
    const { answers } = this;
    const noun = answers === 1 && !this.goal ? "answer" : "answers";
    this.count.textContent = this.goal ? `${answers} of ${this.goal} ${noun} today` : `${answers} ${noun} today`;
    const sorted = [...this.times].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    const pace = median === undefined ? [] : [`${(median / 1000).toFixed(1)} s each`];
    const total = this.total === null ? [] : [`${this.total} in all`];
    this.pace.textContent = [...pace, ...total].join(" · ");
    this.progress.hidden = !this.goal;
    if (!this.goal) return;
    const share = Math.min(1, answers / this.goal);
    this.progress.firstElementChild.style.transform = `scaleX(${share})`;
    this.progress.setAttribute("aria-valuenow", Math.round(100 * share));
  }

  // Read anew each time: another tab may have added to it, and midnight may have passed.
  #today() {
    const day = new Date().toDateString();
    const stored = recall(TODAY_NAME, {});
    return stored.day === day ? stored : { day, answers: 0, active_ms: 0, last_at: 0 };
  }
}
