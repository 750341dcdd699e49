"""The web server's own routes: answers in, queries and clips out, health; and who may use each.

Everything an annotator's browser needs while labelling goes through here rather than through page reruns,
so an answer costs a millisecond of the server and is durable when it is acknowledged.
"""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from rlhf import __version__
from rlhf.config import PROJECT_ROOT
from rlhf.errors import FeedbackError, NotFoundError, RlhfError, StorageError
from rlhf.loop.record_feedback import Outcome, Receipt
from rlhf.loop.record_item import record_item
from rlhf.storage import answers, foresights, jobs, models, segments
from rlhf.storage.engine import reading, writing
from rlhf.storage.schema import runs as runs_table
from rlhf.types.people import Role
from rlhf.ui import downloads, map_routes, pair_feed, recording, reward_trace, sign_in
from rlhf.ui.access import ANNOTATOR_COOKIE as COOKIE
from rlhf.ui.access import Visitor
from rlhf.ui.gate import EVERYONE, Needs, OwnRoute, guarded
from rlhf.ui.origin import HEADER, foreign, forged_json
from rlhf.ui.posted import MAX_BODY_BYTES, RUN_ID, read_body
from rlhf.ui.store import Store, open_store

PREVIEWS = PROJECT_ROOT / "data" / "previews"
NEEDS: dict[str, Needs] = {
    "/healthz": EVERYONE,
    "/join": EVERYONE,
    "/sign-out": EVERYONE,
    "/api/queue": Role.ANNOTATOR,
    "/api/answers": Role.ANNOTATOR,
    "/clips/{clip_id}.mp4": Role.ANNOTATOR,
    "/clips/{clip_id}.png": Role.ANNOTATOR,
    "/clips/{clip_id}.jpg": Role.RESEARCHER,
    "/foreseen/{clip}": Role.RESEARCHER,
    "/previews/{task}.mp4": Role.RESEARCHER,
    "/api/recording": Role.RESEARCHER,
    reward_trace.PATH: Role.RESEARCHER,
    downloads.PATH: Role.RESEARCHER,
    **dict.fromkeys(map_routes.PATHS, Role.RESEARCHER),
}
"""The least role that each route takes; the server does not start with a route that is not here."""
_MAX_ANSWERS = 500
_ID = re.compile(r"[0-9a-f]{32}")
_PREVIEW = re.compile(r"[a-z0-9-]{1,60}")


def routes() -> list[OwnRoute]:
    """Return the routes to be served beside the pages, each behind its guard."""
    own: list[OwnRoute] = [
        Route("/healthz", health),
        Route("/join", sign_in.show_join),
        Route("/join", sign_in.join, methods=["POST"]),
        Route("/sign-out", sign_in.show_sign_out),
        Route("/sign-out", sign_in.sign_out, methods=["POST"]),
        Route("/api/queue", queue),
        Route("/api/answers", post_answers, methods=["POST"]),
        Route("/clips/{clip_id}.mp4", clip),
        Route("/clips/{clip_id}.png", poster),
        Route("/clips/{clip_id}.jpg", strip),
        Route("/foreseen/{clip}", foreseen),
        Route("/previews/{task}.mp4", preview),
        WebSocketRoute("/api/recording", record),
        Route(downloads.PATH, downloads.download),
        *map_routes.routes(),
        Route(reward_trace.PATH, reward_trace.traces),
    ]
    return guarded(own, NEEDS)


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
    visitor = _visitor(request)
    if visitor.annotator_id is None and request.headers.get(HEADER) != "1":
        return _reply(lambda store: pair_feed.run_status(store, run_id))
    have = [q for q in request.query_params.get("have", "").split(",") if _ID.fullmatch(q)]

    def work(store: Store, annotator: str) -> dict[str, Any]:
        reply = pair_feed.next_pairs(store, run_id, annotator, have)
        if request.query_params.get("history") == "1":
            reply["history"] = pair_feed.own_answers(store, run_id, annotator)
        return reply

    return _with_annotator(visitor, run_id, work)


async def post_answers(request: Request) -> Response:
    """Store answers; the reply acknowledges each and tops the browser's queue up."""
    if problem := forged_json(request):
        return JSONResponse({"error": problem}, status_code=403)
    body = await read_body(request)
    if body is None:
        return JSONResponse({"error": f"at most {MAX_BODY_BYTES} bytes at once"}, status_code=413)
    try:
        data = json.loads(body)
        run_id, sent = data["run"], data["answers"]
        have = [str(q) for q in data.get("have", []) if _ID.fullmatch(str(q))]
        if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
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

    return await run_in_threadpool(_with_annotator, _visitor(request), run_id, work)


async def record(websocket: WebSocket) -> None:
    """Let a person act episodes; see ``recording``."""
    if foreign(websocket):  # browsers let any site open a socket to any other
        await websocket.close()
        return
    visitor = _visitor(websocket)
    annotator = visitor.annotator_id or uuid.uuid4().hex
    cookie = Response()
    if visitor.annotator_id is None:
        _set_cookie(cookie, annotator)
    await websocket.accept(headers=[h for h in cookie.raw_headers if h[0] == b"set-cookie"])
    await recording.relay(websocket, annotator)


def clip(request: Request) -> Response:
    """Serve one clip, with ranges and for the browser's cache."""
    return _blob(request, "clip", "video/mp4")


def poster(request: Request) -> Response:
    """Serve the still picture of one clip."""
    return _blob(request, "poster", "image/png")


def strip(request: Request) -> Response:
    """Serve a few moments of one whole episode, side by side."""
    return _blob(request, "strip", "image/jpeg")


def foreseen(request: Request) -> Response:
    """Serve the clip of what a run's policy foresaw, by the name that its row has for it."""
    name = request.path_params["clip"]

    def find(store: Store) -> str:
        with reading(store.engine) as connection:
            if not foresights.is_shown(connection, name):
                raise NotFoundError("nothing shows it")
        return str(name)

    return _sent(find, "video/mp4")


def preview(request: Request) -> Response:
    """Serve a task's looping picture, one of those shipped with the program."""
    path = PREVIEWS / f"{request.path_params['task']}.mp4"
    if not _PREVIEW.fullmatch(path.stem) or not path.exists():
        return JSONResponse({"error": "there is no such preview"}, status_code=404)
    return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": "max-age=86400"})


def _receive(store: Store, run_id: str, annotator: str, item: Any) -> Receipt:
    try:
        return record_item(store.engine, run_id, annotator, item)
    except FeedbackError as error:
        key = item.get("key") if isinstance(item, dict) else None
        # A lone surrogate is a legal JSON string that no reply could be encoded with.
        echo = str(key).encode(errors="replace").decode()
        return Receipt(key=echo, outcome=Outcome.REJECTED, message=str(error))


def _visitor(connection: HTTPConnection) -> Visitor:
    """Return whom the route's guard let in."""
    visitor: Visitor = connection.scope["visitor"]
    return visitor


def _with_annotator(visitor: Visitor, run_id: str, work: Callable[[Store, str], dict[str, Any]]) -> Response:
    """Run ``work`` as the visitor, giving a new browser of a studio without sign-in a cookie.

    A run that is not theirs to label is as unknown to them as one that there is not.
    """
    annotator = visitor.annotator_id or uuid.uuid4().hex

    def work_as_annotator(store: Store) -> dict[str, Any]:
        if not visitor.may_label(run_id):
            raise NotFoundError(f"there is no run {run_id!r} for you; ask for a link to it.")
        if not visitor.is_signed_in:  # known to the store otherwise
            with writing(store.engine) as connection:
                answers.insert_annotator(connection, "Annotator", is_teacher=False, annotator_id=annotator)
        return work(store, annotator)

    response = _reply(work_as_annotator)
    if visitor.annotator_id is None:
        _set_cookie(response, annotator)
    return response


def _set_cookie(response: Response, annotator: str) -> None:
    response.set_cookie(COOKIE, annotator, httponly=True, samesite="lax", max_age=365 * 86400)


def _reply(work: Callable[[Store], dict[str, Any]]) -> Response:
    try:
        response = JSONResponse(work(open_store()))
    except NotFoundError as error:
        response = JSONResponse({"error": str(error)}, status_code=404)
    except StorageError as error:
        response = JSONResponse({"error": str(error)}, status_code=503)
    response.headers["Cache-Control"] = "no-store"
    return response


def _blob(request: Request, column: str, media_type: str) -> Response:
    clip_id, visitor = request.path_params["clip_id"], _visitor(request)

    def find(store: Store) -> str:
        if not _ID.fullmatch(clip_id):
            raise NotFoundError("not an id")
        with reading(store.engine) as connection:
            row = segments.get_segment_row(connection, clip_id)
            is_replay = models.is_replay(connection, row["run_id"], clip_id)
        if not visitor.may_label(row["run_id"]) or (is_replay and not visitor.may(Role.RESEARCHER)):
            raise NotFoundError("not theirs to see")
        if row[column] is None:
            raise NotFoundError("not drawn yet")
        return str(row[column])

    return _sent(find, media_type)


def _sent(find: Callable[[Store], str], media_type: str) -> Response:
    """Send the blob whose name ``find`` returns, in parts and to be kept, or say that there is none."""
    try:
        store = open_store()
        name = find(store)
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
