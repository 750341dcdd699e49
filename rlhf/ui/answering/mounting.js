// How Streamlit starts and ends a player.

// Returns what a component exports. It is called at every change of data or theme; the elements stay, and so does
// the player.
function mounting(testId, make, listen) {
  const players = new WeakMap();
  return ({ data, parentElement }) => {
    if (!players.has(parentElement)) {
      const player = make(parentElement.querySelector(`[data-testid=${testId}]`), data);
      players.set(parentElement, player);
      player.start(listen);
    }
    return () => {
      players.get(parentElement)?.stop();
      players.delete(parentElement);
    };
  };
}
