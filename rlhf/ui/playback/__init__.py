"""What the browser players share: the clock of the videos, the transport bar, and joining of script files.

Knows neither queries nor answers. A player is a folder with its own scripts, styles and skeleton; the files
named here go in front of them, joined into one module, so that nothing has to be built or downloaded.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent
_SCRIPTS = ("clock.js", "loading.js", "transport.js")


def joined_script(folder: Path, names: Sequence[str | Path]) -> str:
    """Return one JavaScript module: the shared parts, then the files of one player in the given order.

    Args:
        folder: of the player.
        names: its files; those that are not in ``folder`` are named by their whole path.
    """
    parts = [*(_FOLDER / name for name in _SCRIPTS), *(folder / name for name in names)]
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)


def joined_style(folder: Path, *shared: Path) -> str:
    """Return the shared style sheets followed by the ``player.css`` of one player."""
    paths = (_FOLDER / "playback.css", *shared, folder / "player.css")
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def joined_markup(folder: Path, *shared: Path) -> str:
    """Return the ``player.html`` of one player with shared pieces put in at their marks.

    A mark is a comment with the name of a piece: ``<!-- transport -->`` stands for ``transport.html`` of this
    folder, others for those of the ``shared`` folders.
    """
    skeleton = (folder / "player.html").read_text(encoding="utf-8")
    for piece in (path for home in (_FOLDER, *shared) for path in home.glob("*.html")):
        skeleton = skeleton.replace(f"<!-- {piece.stem} -->", piece.read_text(encoding="utf-8"))
    return skeleton


def base_path() -> str:
    """Return the path under which the app is served, with a slash at both ends, or "" when none is set.

    With "" the browser resolves addresses against the folder of the page it is on, which is also right
    behind a proxy that strips a prefix.
    """
    prefix = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{prefix}/" if prefix else ""
