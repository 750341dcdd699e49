"""The reward under clips: a curve for each clip on one axis, and which features made it, frame by frame.

A part of players that have a clock: it is drawn under their clips and follows them. What it draws is fetched
from a route of its own once the clips play, so that no page waits for it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rlhf.errors import NotFoundError, RlhfError
from rlhf.loop.trace_segments import Trace, Traces, trace_segments
from rlhf.types.experience import Float32, Int64
from rlhf.ui.posted import RUN_ID
from rlhf.ui.store import open_store

PATH = "/api/traces/{run_id}"
_FOLDER = Path(__file__).parent
SCRIPTS = tuple(_FOLDER / name for name in ("plot.js", "reasons.js", "trace.js"))
"""For ``joined_script`` of a player, before its own files."""
STYLE = _FOLDER / "trace.css"
"""For ``joined_style`` of a player."""
_SHOWN_FEATURES = 6
_MAX_SEGMENTS = 4
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SEGMENTS = re.compile(rf"[0-9a-f]{{32}}(,[0-9a-f]{{32}}){{0,{_MAX_SEGMENTS - 1}}}")


def trace_address(run_id: str, version: int, segment_ids: Sequence[str]) -> str:
    """Return the address, relative to the app, of what a reward version makes of clips, in their order."""
    return f"{PATH[1:].format(run_id=run_id)}?version={version}&segments={','.join(segment_ids)}"


def traces(request: Request) -> Response:
    """Send what a reward version makes of each step of up to four segments of a run."""
    run_id = request.path_params["run_id"]
    version, ids = (request.query_params.get(name, "") for name in ("version", "segments"))
    if not (RUN_ID.fullmatch(run_id) and _VERSION.fullmatch(version) and _SEGMENTS.fullmatch(ids)):
        problem = f"'version' must be a number and 'segments' one to {_MAX_SEGMENTS} ids with commas between."
        return JSONResponse({"error": problem}, status_code=400)
    try:
        store = open_store()
        body = as_json(trace_segments(store.engine, store.blobs, run_id, int(version), ids.split(",")))
    except NotFoundError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    except RlhfError as error:
        return JSONResponse({"error": str(error)}, status_code=503)
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def as_json(found: Traces) -> dict[str, Any]:
    """Return traces as JSON data, with the features that matter most by name and the others as one sum."""
    # Squares, so that what decides in a few steps, such as a landing, counts more than a little in each.
    weight = np.concatenate([np.square(trace.contributions) for trace in found.traces]).mean(axis=0)
    shown = np.argsort(-weight, kind="stable")[:_SHOWN_FEATURES]
    return {
        "version": found.version,
        "base": round(found.base, 4),
        "features": [{"name": found.names[index], "unit": found.units[index]} for index in shown],
        "clips": [_clip(trace, shown) for trace in found.traces],
    }


def _clip(trace: Trace, shown: Int64) -> dict[str, Any]:
    ended = np.flatnonzero(trace.absorbing)
    others = np.delete(trace.contributions, shown, axis=1).sum(axis=1)
    return {
        "stepsPerFrame": trace.steps_per_frame,
        "endedAt": int(ended[0]) if len(ended) else None,
        "members": _rounded(trace.rewards),
        "values": _rounded(trace.values.T[shown]),
        "contributions": [*_rounded(trace.contributions.T[shown]), _rounded(others)],
    }


def _rounded(array: Float32) -> list[Any]:
    rounded: list[Any] = np.round(array.astype(np.float64), 4).tolist()
    return rounded
