"""What the browser players share: the clock of the videos, the transport bar, and joining of script files.

Knows neither queries nor answers. A player is a folder with its own scripts, styles and skeleton; the files
named here go in front of them, joined into one module, so that nothing has to be built or downloaded.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent
_SCRIPTS = ("clock.js", "loading.js", "transport.js")
_TRANSPORT_MARK = "<!-- transport -->"


def joined_script(folder: Path, names: Sequence[str]) -> str:
    """Return one JavaScript module: the shared parts, then the files of one player in the given order."""
    parts = [*(_FOLDER / name for name in _SCRIPTS), *(folder / name for name in names)]
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)


def joined_style(folder: Path) -> str:
    """Return the shared style sheet followed by the ``player.css`` of one player."""
    return "\n".join(
        path.read_text(encoding="utf-8") for path in (_FOLDER / "playback.css", folder / "player.css")
    )


def joined_markup(folder: Path) -> str:
    """Return the ``player.html`` of one player with the transport bar put in at its mark."""
    skeleton = (folder / "player.html").read_text(encoding="utf-8")
    return skeleton.replace(_TRANSPORT_MARK, (_FOLDER / "transport.html").read_text(encoding="utf-8"))


def base_path() -> str:
    """Return the path under which the app is served, with a slash at both ends, or "" when none is set.

    With "" the browser resolves addresses against the folder of the page it is on, which is also right
    behind a proxy that strips a prefix.
    """
    prefix = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{prefix}/" if prefix else ""
