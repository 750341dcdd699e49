// Keys, buttons and fingers, each turned into a word to the player.

function listenToPair(player, signal) {
  document.addEventListener("keydown", (event) => onKeyDown(player, event), { signal });
  document.addEventListener("keyup", (event) => player.keys.actionOf(event) === "swap" && player.setSwapped(false), { signal });
  window.addEventListener("blur", () => player.setSwapped(false), { signal }); // the key comes up elsewhere
  const { root, view } = player;
  for (const button of view.answerButtons) {
    const name = button.dataset.choice;
    if (name in MUCH) answerByLongPress(button, () => player.answer(MUCH[name]), signal);
    button.addEventListener("click", (event) => player.answer(event.shiftKey ? (MUCH[name] ?? name) : name), { signal });
  }
  view.undo.addEventListener("click", () => player.undo(), { signal });
  root.querySelector('[data-part="leave"]').addEventListener("click", () => player.leaveVisit(), { signal });
  swapWhileHeld(view.swap, { set: (swapped) => player.setSwapped(swapped), get: () => player.swapped }, signal);
}

function onKeyDown(player, event) {
  const action = player.keys.actionOf(event);
  if (belongsElsewhere(event, { shift: Boolean(ACTIONS[action]?.withShift) })) return;
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
  else if (action === "moment" && event.shiftKey) player.markBefore();
  else if (action === "moment") player.toggleMoment();
  else if (action === "swap") player.setSwapped(true);
  else if (action === "comment") player.reasons.writeComment();
  else if (event.key === "Escape" && (player.visiting || player.arriving)) player.leaveVisit();
  else if (event.key === HELP_KEY) player.help.open();
  else if (/^[1-9]$/.test(event.key)) player.reasons.toggleNumber(Number(event.key));
  else return player.transport.handleKey(ACTIONS[action]?.transport ?? event.key);
  return true;
}

export default mounting("pair-player", (root, data) => new PairPlayer(root, data), listenToPair);
