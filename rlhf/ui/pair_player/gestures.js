// Fingers: a long press answers "much better"; a button held changes the sides.

const LONG_PRESS_MS = 450;

function answerByLongPress(button, onLong, signal) {
  let timer = 0;
  let answered = false;
  let fill = null;
  const end = () => {
    clearTimeout(timer);
    fill?.cancel();
  };
  button.addEventListener(
    "pointerdown",
    (event) => {
      answered = false;
      if (event.pointerType === "mouse" || button.getAttribute("aria-disabled") === "true") return;
      fill = button.querySelector(".pp-press").animate([{ opacity: 0 }, { opacity: 1 }], LONG_PRESS_MS);
      timer = setTimeout(() => {
        answered = true;
        navigator.vibrate?.(20);
        onLong();
      }, LONG_PRESS_MS);
    },
    { signal },
  );
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(name, end, { signal });
  button.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  // The finger that is lifted after a long press must not answer the next pair too.
  button.addEventListener("click", (event) => answered && event.stopImmediatePropagation(), { signal, capture: true });
}

// Held by a pointer; pressed by keyboard or screen reader it stays until pressed again.
function swapWhileHeld(button, { set, get }, signal) {
  button.addEventListener(
    "pointerdown",
    (event) => {
      button.setPointerCapture(event.pointerId);
      set(true);
    },
    { signal },
  );
  for (const name of ["pointerup", "pointercancel"]) button.addEventListener(name, () => set(false), { signal });
  button.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  button.addEventListener("click", (event) => event.detail === 0 && set(!get()), { signal });
}
