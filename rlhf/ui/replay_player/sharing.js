// A link that opens the page with the same clips at the same frame.

class Sharing {
  // query: what the address says of the clips.
  constructor(root, { clock, query, say }) {
    Object.assign(this, { clock, query, say });
    this.field = root.querySelector('[data-part="link"]');
    root.querySelector('[data-part="share"]').addEventListener("click", () => this.#copy());
  }

  async #copy() {
    this.clock.pause();
    const address = new URL(location.href);
    for (const [name, value] of Object.entries(this.query)) address.searchParams.set(name, value);
    address.searchParams.set("frame", this.clock.frame);
    try {
      await navigator.clipboard.writeText(address.href); // there is no clipboard but on https and on this computer
      this.field.hidden = true;
      this.say("Link copied.");
    } catch {
      this.field.hidden = false;
      this.field.value = address.href;
      this.field.focus();
      this.field.select();
      this.say("Copy it from here.");
    }
  }
}
