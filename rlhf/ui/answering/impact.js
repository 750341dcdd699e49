// What the answers have changed: figures of the whole reward model and of the agent, never of a pair.

class Impact {
  #known = null; // {version, share, of}: what was last told
  #before = null; // the share of the version before, once a new one came while somebody looked
  #practisedFrom = 0;

  constructor(element) {
    this.element = element;
  }

  // Returns a sentence when something new was learned, or null.
  update(status) {
    const audited = status.audit_accuracy ?? null;
    const of = audited === null ? "answers it had not seen" : "random pairs";
    const now = { version: status.reward_version, share: audited ?? status.unseen_accuracy ?? null, of };
    const isNews = this.#known !== null && now.version > this.#known.version;
    if (isNews || this.#known === null) {
      this.#before = isNews && this.#known.of === of ? this.#known.share : null;
      this.#practisedFrom = status.policy_version;
    }
    this.#known = now;
    const learned = now.version ? this.#sentence(now, status.policy_version - this.#practisedFrom) : (status.message ?? "");
    const text = learned + this.#consistency(status.consistency);
    if (this.element.textContent !== text) this.element.textContent = text;
    return isNews ? `Reward version ${now.version} has learned from the answers.` : null;
  }

  // In groups of several, so that it says nothing of any one pair.
  #consistency([same, of] = [0, 0]) {
    return of ? ` Some pairs come twice: you answered ${same} of ${of} the same way.` : "";
  }

  #sentence({ version, share, of }, updates) {
    const percent = (part) => `${Math.round(100 * part)}%`;
    const before = this.#before === null ? "" : ` (${percent(this.#before)} before)`;
    const right = share === null ? "" : `: right on ${percent(share)} of ${of}${before}`;
    const since = updates > 0 ? ` The agent has practised with it ${updates === 1 ? "once" : `${updates} times`}.` : "";
    return `Reward version ${version} has learned from the answers${right}.${since}`;
  }
}
