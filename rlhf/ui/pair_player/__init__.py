"""The pair player: two clips of one clock side by side, answered by one key, the next pair at once.

One Streamlit component that owns videos, keys, prefetch and the outbox of answers; ``rlhf.ui.answering`` is
what it shares with other players. Knows nothing of the database; the routes are elsewhere.
"""

from pathlib import Path

from rlhf.ui.answering import answering_player

_draw = answering_player(
    Path(__file__).parent,
    (
        "answers.js",
        "keys.js",
        "view.js",
        "history.js",
        "reasons.js",
        "moments.js",
        "help.js",
        "gestures.js",
        "player.js",
        "controls.js",
    ),
)


def pair_player(*, run_id: str, key: str, max_clip_height: int = 420, prefetch: int = 4) -> None:
    """Draw the player for the pairs of one run.

    Reruns of the page neither interrupt it nor redraw it, as long as ``run_id`` and ``key`` stay the same.

    Args:
        run_id: the run whose queue is shown.
        key: Streamlit key, unique on the page.
        max_clip_height: height a clip has at most, in CSS pixels; it is less on a small window.
        prefetch: how many pairs beyond the one on screen are kept decoded.

    Raises:
        ValueError: ``max_clip_height`` or ``prefetch`` is below 1.
    """
    _draw(run_id=run_id, key=key, max_clip_height=max_clip_height, prefetch=prefetch)
