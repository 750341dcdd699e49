"""The web server's own routes: answers in, queries and clips out, health.

Everything an annotator's browser needs while labelling goes through here rather than through page reruns,
so an answer costs a millisecond of the server and is durable when it is acknowledged.
"""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from rlhf import __version__
from rlhf.config import PROJECT_ROOT
from rlhf.errors import FeedbackError, NotFoundError, RlhfError, StorageError
from rlhf.loop.record_feedback import Answer, Outcome, Receipt, record_answer
from rlhf.storage import answers, jobs, segments
from rlhf.storage.engine import reading, writing
from rlhf.storage.schema import runs as runs_table
from rlhf.ui import pair_feed
from rlhf.ui.store import Store, open_store

PREVIEWS = PROJECT_ROOT / "data" / "previews"
COOKIE = "preference_studio_annotator"
_HEADER = "x-preference-studio"
_MAX_BODY_BYTES = 1_000_000
_MAX_ANSWERS = 500
_ID = re.compile(r"[0-9a-f]{32}")
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PREVIEW = re.compile(r"[a-z0-9-]{1,60}")


def routes() -> list[Route]:
    """Return the routes to be served beside the pages."""
    return [
        Route("/healthz", health),
        Route("/api/queue", queue),
        Route("/api/answers", post_answers, methods=["POST"]),
        Route("/clips/{clip_id}.mp4", clip),
        Route("/clips/{clip_id}.png", poster),
        Route("/previews/{task}.mp4", preview),
    ]


def health(request: Request) -> Response:
    """Say whether the database answers and which workers are alive."""
    body: dict[str, Any] = {"status": "ok", "version": __version__}
    try:
        with reading(open_store().engine) as connection:
            connection.execute(sa.select(runs_table.c.id).limit(1))
            body["workers"] = {row["role"]: row["pid"] for row in jobs.live_workers(connection)}
        body["database"] = "ok"
    except (RlhfError, sa.exc.SQLAlchemyError) as error:
        body.update(status="failing", database=type(error).__name__)
    return JSONResponse(body, status_code=200 if body["status"] == "ok" else 503)


def queue(request: Request) -> Response:
    """Give the annotator's browser its next pairs; any other request only the run's status.

    Pairs are leased to whoever gets them, so an address that another site embeds must not take them. With
    ``history=1`` the annotator's own latest answers come too.
    """
    run_id = request.query_params.get("run", "")
    if _annotator(request) is None and request.headers.get(_HEADER) != "1":
        return _reply(lambda store: pair_feed.run_status(store, run_id))
    have = [q for q in request.query_params.get("have", "").split(",") if _ID.fullmatch(q)]

    def work(store: Store, annotator: str) -> dict[str, Any]:
        reply = pair_feed.next_pairs(store, run_id, annotator, have)
        if request.query_params.get("history") == "1":
            reply["history"] = pair_feed.own_answers(store, run_id, annotator)
        return reply

    return _with_annotator(request, work)


async def post_answers(request: Request) -> Response:
    """Store answers; the reply acknowledges each and tops the browser's queue up."""
    if problem := _forged(request):
        return JSONResponse({"error": problem}, status_code=403)
    body = await _read_body(request)
    if body is None:
        return JSONResponse({"error": f"at most {_MAX_BODY_BYTES} bytes at once"}, status_code=413)
    try:
        data = json.loads(body)
        run_id, sent = data["run"], data["answers"]
        have = [str(q) for q in data.get("have", []) if _ID.fullmatch(str(q))]
        if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
            raise FeedbackError("'run' must be the id of a run.")
        if not isinstance(sent, list) or len(sent) > _MAX_ANSWERS:
            raise FeedbackError(f"'answers' must be a list of at most {_MAX_ANSWERS}.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, FeedbackError) as error:
        return JSONResponse({"error": f"the request is not understood: {error}"}, status_code=400)

    def work(store: Store, annotator: str) -> dict[str, Any]:
        receipts = [_receive(store, run_id, annotator, item) for item in sent]
        reply = pair_feed.next_pairs(store, run_id, annotator, have)
        reply["results"] = [
            {"key": r.key, "outcome": r.outcome.value, "message": r.message} for r in receipts
        ]
        return reply

    return await run_in_threadpool(_with_annotator, request, work)


def clip(request: Request) -> Response:
    """Serve one clip, with ranges and for the browser's cache."""
    return _blob(request, "clip", "video/mp4")


def poster(request: Request) -> Response:
    """Serve the still picture of one clip."""
    return _blob(request, "poster", "image/png")


def preview(request: Request) -> Response:
    """Serve a task's looping picture, one of those shipped with the program."""
    path = PREVIEWS / f"{request.path_params['task']}.mp4"
    if not _PREVIEW.fullmatch(path.stem) or not path.exists():
        return JSONResponse({"error": "there is no such preview"}, status_code=404)
    return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": "max-age=86400"})


async def _read_body(request: Request) -> bytes | None:
    """Return the request's body, or None as soon as it turns out too large to be taken into memory."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            return None
    return bytes(body)


def _receive(store: Store, run_id: str, annotator: str, item: Any) -> Receipt:
    try:
        return record_answer(store.engine, run_id, annotator, Answer.from_json(item))
    except FeedbackError as error:
        key = item.get("key") if isinstance(item, dict) else None
        # A lone surrogate is a legal JSON string that no reply could be encoded with.
        echo = str(key).encode(errors="replace").decode()
        return Receipt(key=echo, outcome=Outcome.REJECTED, message=str(error))


def _with_annotator(request: Request, work: Callable[[Store, str], dict[str, Any]]) -> Response:
    """Run ``work`` as the annotator of the browser's cookie, giving a new browser a cookie."""
    known = _annotator(request)
    annotator = known or uuid.uuid4().hex

    def work_as_annotator(store: Store) -> dict[str, Any]:
        with writing(store.engine) as connection:
            answers.insert_annotator(connection, "Annotator", is_teacher=False, annotator_id=annotator)
        return work(store, annotator)

    response = _reply(work_as_annotator)
    if known is None:
        response.set_cookie(COOKIE, annotator, httponly=True, samesite="lax", max_age=365 * 86400)
    return response


def _annotator(request: Request) -> str | None:
    """Return whom the browser's cookie names; None where there is no cookie of ours."""
    cookie = request.cookies.get(COOKIE, "")
    return cookie if _ID.fullmatch(cookie) else None


def _reply(work: Callable[[Store], dict[str, Any]]) -> Response:
    try:
        response = JSONResponse(work(open_store()))
    except NotFoundError as error:
        response = JSONResponse({"error": str(error)}, status_code=404)
    except StorageError as error:
        response = JSONResponse({"error": str(error)}, status_code=503)
    response.headers["Cache-Control"] = "no-store"
    return response


def _forged(request: Request) -> str | None:
    """Return why a request cannot come from our own page, or None."""
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        return "the content type must be application/json"
    if request.headers.get(_HEADER) != "1":
        return "the header X-Preference-Studio: 1 is missing"
    if (origin := request.headers.get("origin")) is None:
        return None
    try:
        is_ours = urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        is_ours = False
    return None if is_ours else "the request comes from another site"


def _blob(request: Request, column: str, media_type: str) -> Response:
    clip_id = request.path_params["clip_id"]
    try:
        store = open_store()
        if not _ID.fullmatch(clip_id):
            raise NotFoundError("not an id")
        with reading(store.engine) as connection:
            name = segments.get_segment_row(connection, clip_id)[column]
        if name is None:
            raise NotFoundError("not drawn yet")
        headers = {
            "Cache-Control": "private, max-age=604800, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        path = store.blobs.local_path(name)
        if path is None:
            return Response(store.blobs.read(name), media_type=media_type, headers=headers)
        if not path.exists():
            raise NotFoundError("the file is gone")
        return FileResponse(path, media_type=media_type, headers=headers)
    except NotFoundError:
        return JSONResponse({"error": "there is no such clip"}, status_code=404)
    except StorageError as error:
        return JSONResponse({"error": str(error)}, status_code=503)
