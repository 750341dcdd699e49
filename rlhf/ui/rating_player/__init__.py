"""The rating player: one clip, rated from very bad to very good by a digit key or a tap.

Asks about one clip of a pair after the other, so that the trainer publishes pairs and nothing else, and each
clip that is drawn serves whoever answers in whatever way. ``rlhf.ui.answering`` is what the players share.
"""

from pathlib import Path

from rlhf.ui.answering import answering_player

_draw = answering_player(Path(__file__).parent, ("player.js",))


def rating_player(*, run_id: str, key: str, max_clip_height: int = 420, prefetch: int = 4) -> None:
    """Draw the player for single clips of the pairs of one run.

    Reruns of the page neither interrupt it nor redraw it, as long as ``run_id`` and ``key`` stay the same.

    Args:
        run_id: the run whose queue is shown.
        key: Streamlit key, unique on the page.
        max_clip_height: height a clip has at most, in CSS pixels; it is less on a small window.
        prefetch: how many clips beyond the one on screen are kept decoded.

    Raises:
        ValueError: ``max_clip_height`` or ``prefetch`` is below 1.
    """
    _draw(run_id=run_id, key=key, max_clip_height=max_clip_height, prefetch=prefetch)
