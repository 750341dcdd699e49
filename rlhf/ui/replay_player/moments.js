// Moments that people are to compare: of both clips at once, or of one clip one after the other.

class Moments {
  #mark = null; // frame of the only clip that waits for another one

  // send(moments): asks the server; say(text): tells the reader.
  constructor(root, { clips, clock, transport, send, say }) {
    Object.assign(this, { clips, clock, transport, send, say });
    this.button = root.querySelector('[data-part="ask"]');
    this.unmark = root.querySelector('[data-part="unmark"]');
    this.button.addEventListener("click", () => this.#press());
    this.unmark.addEventListener("click", () => this.#setMark(null));
    this.#draw();
  }

  #press() {
    this.clock.pause();
    const moments = this.clips.map(({ segment }, index) => ({ segment, frame: this.clock.shownFrames[index] ?? 0 }));
    if (moments.length > 1) return this.#ask(moments);
    if (this.#mark === null) return this.#setMark(moments[0].frame);
    this.#ask([{ ...moments[0], frame: this.#mark }, moments[0]]);
    this.#setMark(null);
  }

  #ask(moments) {
    this.send(moments);
    this.say("Asking…");
  }

  #setMark(frame) {
    this.#mark = frame;
    this.transport.mark(frame);
    this.say(frame === null ? "" : "Marked. Go to the moment to compare it with.");
    this.#draw();
  }

  #draw() {
    const alone = this.clips.length === 1;
    this.unmark.hidden = this.#mark === null;
    this.button.textContent = !alone ? "Ask about this moment" : this.#mark === null ? "Mark this moment" : "Ask: the mark against this";
    this.button.title = alone
      ? "Two moments of this clip become the next question on the Label page"
      : "What both clips show around this frame becomes the next question on the Label page";
  }
}
