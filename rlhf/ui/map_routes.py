"""The routes of the map of behaviour: its points, the clips behind some of them, questions about them."""

import re
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rlhf.errors import FeedbackError, NotFoundError, StorageError
from rlhf.loop.ask_from_map import Piece, ask_from_map
from rlhf.loop.behaviour_map import Facts
from rlhf.storage import jobs, runs, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind, JobState
from rlhf.ui.access import Visitor
from rlhf.ui.map_view import current_map, packed
from rlhf.ui.posted import posted
from rlhf.ui.store import Store, open_store

PATHS = ("/api/map", "/api/map/clips", "/api/map/questions")
_MAX_CLIPS = 24
_MAX_PIECES = 2000
_MAP_ID = re.compile(r"[0-9a-f]{64}")


def routes() -> list[Route]:
    """Return the routes, in the order of ``PATHS``."""
    points_path, clips_path, questions_path = PATHS
    return [
        Route(points_path, points),
        Route(clips_path, clips, methods=["POST"]),
        Route(questions_path, questions, methods=["POST"]),
    ]


def points(request: Request) -> Response:
    """Send the points of the map that is on show, if it is still the one asked for."""
    run_id, map_id = (request.query_params.get(name, "") for name in ("run", "map"))

    def work(store: Store) -> Response:
        found = current_map(store, run_id) if _MAP_ID.fullmatch(map_id) else None
        if found is None or found[0] != map_id:
            raise NotFoundError("there is no such map any more; ask for the newest.")
        headers = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
        return Response(packed(map_id), media_type="application/octet-stream", headers=headers)

    return _answered(request, run_id, work)


async def clips(request: Request) -> Response:
    """Say where the clips of some points are; have those drawn that are not."""
    data = await posted(request)
    if isinstance(data, Response):
        return data

    def work(store: Store) -> Response:
        pieces = _pieces(data, _MAX_CLIPS)
        found = current_map(store, data["run"])
        if found is None:
            raise NotFoundError("this run has no map yet.")
        facts = found[1].facts
        return JSONResponse({"clips": [_clip(store, data["run"], piece, facts) for piece in pieces]})

    return await run_in_threadpool(_answered, request, data["run"], work)


async def questions(request: Request) -> Response:
    """Ask about some points: queries that come before all others."""
    data = await posted(request)
    if isinstance(data, Response):
        return data

    def work(store: Store) -> Response:
        pieces, count = _pieces(data, _MAX_PIECES), data.get("count")
        if not isinstance(count, int) or isinstance(count, bool):
            raise FeedbackError("'count' must be the number of questions.")
        found = current_map(store, data["run"])
        if found is None:
            raise NotFoundError("this run has no map yet.")
        number = ask_from_map(store.engine, store.blobs, data["run"], found[1], pieces, count)
        return JSONResponse({"asked": number, "message": _message(store, data["run"], number)})

    return await run_in_threadpool(_answered, request, data["run"], work)


def _pieces(data: dict[str, Any], most: int) -> list[Piece]:
    sent = data.get("pieces")
    if not isinstance(sent, list) or not 1 <= len(sent) <= most:
        raise FeedbackError(f"'pieces' must be a list of 1 to {most}.")
    return [Piece.parse(text) for text in sent]


def _clip(store: Store, run_id: str, piece: Piece, facts: Facts) -> dict[str, Any] | None:
    """Return where a piece is on a clip; without an address while that is being drawn, None if it is gone."""
    try:
        with reading(store.engine) as connection:
            row = segments.get_segment_row(connection, piece.segment_id)
            job = jobs.find(connection, JobKind.DRAW, piece.segment_id)
    except NotFoundError:
        return None
    if row["run_id"] != run_id:
        return None
    if row["clip"] is None:
        if job is not None and job["state"] is JobState.FAILED:
            return {"problem": "This clip cannot be drawn."}
        with writing(store.engine, is_durable=False) as connection:
            jobs.enqueue(connection, run_id, JobKind.DRAW, piece.segment_id)
        return {}
    last = row["clip_frames"] - 1
    return {
        "url": f"clips/{piece.segment_id}.mp4",
        "fps": row["clip_fps"],
        "first": min(last, piece.start // facts.frame_skip),
        "last": min(last, (piece.start + facts.length) // facts.frame_skip),
    }


def _message(store: Store, run_id: str, number: int) -> str:
    if number == 0:
        return "Nothing was asked: all pairs were asked before, or their clips look alike. Choose more."
    with reading(store.engine) as connection:
        is_over = runs.get_run(connection, run_id)["state"].is_over
    said = "One question comes" if number == 1 else f"{number} questions come"
    note = " This run is over, so it learns from the answers only if it is started again." if is_over else ""
    return f"{said} next, as soon as the clips are drawn.{note}"


def _answered(request: Request, run_id: str, work: Callable[[Store], Response]) -> Response:
    """Answer with what ``work`` returns, or what is wrong; a run that is not theirs is unknown to people."""
    visitor: Visitor = request.scope["visitor"]
    try:
        if not visitor.may_label(run_id):
            raise NotFoundError(f"there is no run {run_id!r} for you.")
        return work(open_store())
    except FeedbackError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    except NotFoundError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    except StorageError as error:
        return JSONResponse({"error": str(error)}, status_code=503)
