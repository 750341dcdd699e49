// Keys, buttons, fingers and the life of the page, each turned into a word to the player.

function listenToPage(player, signal) {
  const { outbox, feed, reasons } = player;
  const resume = () => {
    if (document.hidden) return;
    outbox.flush();
    feed.ask();
  };
  document.addEventListener("keydown", (event) => onKeyDown(player, event), { signal });
  document.addEventListener("keyup", (event) => player.keys.actionOf(event) === "swap" && player.setSwapped(false), { signal });
  document.addEventListener("visibilitychange", resume, { signal });
  window.addEventListener("online", resume, { signal });
  window.addEventListener("pageshow", resume, { signal });
  window.addEventListener("blur", () => player.setSwapped(false), { signal }); // the key comes up elsewhere
  window.addEventListener(
    "pagehide",
    () => {
      reasons.commit();
      outbox.flushOnLeave();
    },
    { signal },
  );
}

function listenToControls(player, signal) {
  const { root, view } = player;
  keepFocusOnClick(root);
  for (const button of view.answerButtons) {
    const name = button.dataset.choice;
    if (name in MUCH) answerByLongPress(button, () => player.answer(MUCH[name]), signal);
    button.addEventListener("click", (event) => player.answer(event.shiftKey ? (MUCH[name] ?? name) : name), { signal });
  }
  view.undo.addEventListener("click", () => player.undo(), { signal });
  view.bigPlay.addEventListener("click", () => player.transport.toggle(), { signal });
  root.querySelector('[data-part="leave"]').addEventListener("click", () => player.leaveVisit(), { signal });
  swapWhileHeld(view.swap, { set: (swapped) => player.setSwapped(swapped), get: () => player.swapped }, signal);
}

function onKeyDown(player, event) {
  const action = player.keys.actionOf(event);
  if (belongsElsewhere(event, { shift: action in MUCH })) return;
  if (!act(player, action, event)) return;
  event.preventDefault();
  event.stopPropagation();
}

// True when the key press was ours.
function act(player, action, event) {
  if (action in MUCH && event.shiftKey) player.answer(MUCH[action]);
  else if (action in ANSWERS) player.answer(action);
  else if (action === "undo") player.undo();
  else if (action === "back") player.goBackTo(player.history.before(player.visiting));
  else if (action === "swap") player.setSwapped(true);
  else if (action === "comment") player.reasons.writeComment();
  else if (event.key === "Escape" && (player.visiting || player.arriving)) player.leaveVisit();
  else if (event.key === HELP_KEY) player.help.open();
  else if (/^[1-9]$/.test(event.key)) player.reasons.toggleNumber(Number(event.key));
  else return player.transport.handleKey(ACTIONS[action]?.transport ?? event.key);
  return true;
}

const players = new WeakMap();

// Called by Streamlit at every change of data or theme; the elements stay, and so does the player.
export default function mount({ data, parentElement }) {
  if (!players.has(parentElement)) {
    const root = parentElement.querySelector("[data-testid=pair-player]");
    players.set(parentElement, new PairPlayer(root, data));
  }
  return () => {
    players.get(parentElement)?.stop();
    players.delete(parentElement);
  };
}
