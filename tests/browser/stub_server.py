"""A stand-in for the studio's routes, so that the players are tested alone: ``python stub_server.py PORT``.

Each run id has a world of its own. Query n of a run shows clips 2n and 2n + 1. ``POST /stub/RUN`` changes the
world, ``GET /stub/RUN`` shows what the server has stored.
"""

import asyncio
import atexit
import dataclasses
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import streamlit as st
import uvicorn
from barcode_clips import FPS, FRAMES, LONG_FRAMES, barcode_clip
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

CLIPS = 16
SLOW_BYTES_PER_S = 300_000
HERE = Path(__file__).parent
FOLDER = Path(tempfile.mkdtemp(prefix="stub-clips-"))
atexit.register(shutil.rmtree, FOLDER)
for _number in range(CLIPS):
    (FOLDER / f"{_number}.mp4").write_bytes(barcode_clip(_number))
(FOLDER / "short.mp4").write_bytes(barcode_clip(1, frames=20))


@dataclasses.dataclass
class World:
    """What one run's server side does and knows."""

    supply: int = 1000
    failing: bool = False
    outcome: str = "saved"
    message: str | None = None
    state: str = "running"
    ended_at: int | None = None
    broken: list[int] = dataclasses.field(default_factory=list)
    short_right: bool = False
    chained: bool = False
    """Whether query n shows clips n and n + 1."""
    reward_version: int = 3
    policy_version: int = 7
    audit_accuracy: float | None = 0.75
    notice: str | None = None
    consistency: list[int] | None = None
    stored: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    posts: int = 0


WORLDS: dict[str, World] = defaultdict(World)


def _clip(world: World, number: int, *, short: bool) -> dict[str, Any]:
    name = "missing" if number // 2 in world.broken else "short" if short else str(number)
    frames = 20 if short else FRAMES
    return {
        "url": f"clips/{name}.mp4",
        "fps": FPS,
        "frames": frames,
        "ended_at": world.ended_at,
        "poster": None,
    }


def _query(world: World, number: int) -> dict[str, Any]:
    left = number if world.chained else 2 * number
    return {
        "query_id": f"q{number}",
        "left": _clip(world, left, short=False),
        "right": _clip(world, left + 1, short=world.short_right),
        "reason": "The reward model is unsure about this pair.",
        "reward_version": 3,
        "policy_version": 7,
    }


def _standing(world: World) -> list[dict[str, Any]]:
    """What stands for each query, the latest last."""
    latest: dict[str, dict[str, Any]] = {}
    for answer in world.stored.values():
        if "form" in answer:
            continue
        earlier = latest.pop(answer["query_id"], None)
        if "completes" in answer:
            answer = (earlier or {}) | answer
        latest[answer["query_id"]] = answer
    return [answer for answer in latest.values() if answer["choice"] != "undo"]


def _closed_by_forms(world: World) -> set[str]:
    """The queries that rankings answer, and those of which both clips are rated."""
    given = [answer for answer in world.stored.values() if "form" in answer]
    undone = {answer["of"] for answer in given if "of" in answer}
    stands = [answer for answer in given if "of" not in answer and answer["key"] not in undone]
    ranked = {query for answer in stands for query in answer.get("query_ids", [])}
    rated = Counter(answer["query_id"] for answer in stands if answer["form"] == "rating")
    return ranked | {query for query, count in rated.items() if count == 2}


def _reply(world: World, have: list[str]) -> dict[str, Any]:
    standing = _standing(world)
    closed = {answer["query_id"] for answer in standing} | _closed_by_forms(world) | set(have)
    free = [number for number in range(world.supply) if f"q{number}" not in closed]
    queue = [_query(world, number) for number in free[: max(0, 6 - len(have))]]
    status = {
        "answers": len(standing),
        "ready": len(free),
        "state": world.state,
        "reward_version": world.reward_version,
        "policy_version": world.policy_version,
        "audit_accuracy": world.audit_accuracy,
        "steps": 120000,
        "message": "",
    }
    own = {"notice": world.notice, "consistency": world.consistency}
    status |= {name: value for name, value in own.items() if value is not None}
    return {"queue": [] if world.notice else queue, "status": status}


async def queue(request: Request) -> Response:
    """``GET /api/queue``."""
    world = WORLDS[request.query_params["run"]]
    if world.failing:
        return JSONResponse({"error": "the store is busy"}, status_code=503)
    if request.headers.get("x-preference-studio") != "1":
        return JSONResponse({"error": "header missing"}, status_code=403)
    reply = _reply(world, [h for h in request.query_params["have"].split(",") if h])
    if request.query_params["history"] == "1":
        reply["history"] = [a | {"query": _query(world, int(a["query_id"][1:]))} for a in _standing(world)]
    return JSONResponse(reply)


async def answers(request: Request) -> Response:
    """``POST /api/answers``."""
    body = await request.json()
    world = WORLDS[body["run"]]
    world.posts += 1
    if world.failing:
        return JSONResponse({"error": "the store is busy"}, status_code=503)
    if request.headers.get("x-preference-studio") != "1":
        return JSONResponse({"error": "header missing"}, status_code=403)
    results = []
    for answer in body["answers"]:
        outcome = "duplicate" if answer["key"] in world.stored else world.outcome
        if outcome in ("saved", "late"):
            world.stored[answer["key"]] = answer
        results.append({"key": answer["key"], "outcome": outcome, "message": world.message})
    return JSONResponse({"results": results, **_reply(world, body["have"])})


async def clip(request: Request) -> Response:
    """``GET /clips/NAME.mp4``."""
    name = request.path_params["name"]
    if name == "missing":
        return JSONResponse({"error": "there is no such clip"}, status_code=404)
    path = FOLDER / f"{int(name) % CLIPS if name.isdigit() else name}.mp4"
    return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": "private, max-age=3600"})


async def slow_clip(request: Request) -> Response:
    """``GET /clips/long.mp4``: a long clip on a slow line, in whatever part is asked for."""
    path = FOLDER / "long.mp4"
    if not path.exists():
        path.write_bytes(await run_in_threadpool(barcode_clip, 2, LONG_FRAMES, noise=True))
    content = path.read_bytes()
    asked = re.match(r"bytes=(\d+)-(\d*)$", request.headers.get("range", ""))
    first = int(asked[1]) if asked else 0
    last = int(asked[2] or len(content) - 1) if asked else len(content) - 1

    async def trickle() -> AsyncIterator[bytes]:
        step = SLOW_BYTES_PER_S // 20
        for start in range(first, last + 1, step):
            yield content[start : min(start + step, last + 1)]
            await asyncio.sleep(0.05)

    headers = {
        "Accept-Ranges": "bytes",
        "Content-Range": f"bytes {first}-{last}/{len(content)}",
        "Content-Length": str(last + 1 - first),
    }
    if not asked:
        del headers["Content-Range"]
    return StreamingResponse(trickle(), 206 if asked else 200, headers, media_type="video/mp4")


async def traces(request: Request) -> Response:
    """``GET /api/traces/RUN``: the first clip has a peak at step 20, the second one ends at step 40."""
    if request.path_params["run"] == "missing":
        return JSONResponse({"error": "there is no such run"}, status_code=404)
    hill = [max(0.0, 2.0 - abs(step - 20) / 5) for step in range(FRAMES - 1)]
    flat = [0.5 if step < 40 else -1.0 for step in range(FRAMES - 1)]
    clips = [
        {
            "stepsPerFrame": 1,
            "endedAt": ended_at,
            "members": [[value + 0.25 for value in rewards], [value - 0.25 for value in rewards]],
            "values": [[10.0 * value for value in rewards]],
            "contributions": [rewards, [0.0] * len(rewards)],
        }
        for rewards, ended_at in ((hill, None), (flat, 40))
    ]
    found = {"version": 3, "base": 0.0, "features": [{"name": "speed", "unit": "m/s"}], "clips": clips}
    return JSONResponse(found)


async def control(request: Request) -> Response:
    """Read or change the world of one run."""
    world = WORLDS[request.path_params["run"]]
    if request.method == "POST":
        for name, value in (await request.json()).items():
            setattr(world, name, value)
    return JSONResponse({"stored": list(world.stored.values()), "posts": world.posts, "now": time.time()})


app = st.App(
    HERE / "stub_pages" / "shell.py",
    routes=[
        Route("/api/queue", queue),
        Route("/api/answers", answers, methods=["POST"]),
        Route("/clips/long.mp4", slow_clip),
        Route("/clips/{name}.mp4", clip),
        Route("/api/traces/{run}", traces),
        Route("/stub/{run}", control, methods=["GET", "POST"]),
    ],
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
