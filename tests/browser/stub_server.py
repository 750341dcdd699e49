"""A stand-in for the studio's routes, so that the players are tested alone: ``python stub_server.py PORT``.

Each run id has a world of its own. Query n of a run shows clips 2n and 2n + 1. ``POST /stub/RUN`` changes the
world, ``GET /stub/RUN`` shows what the server has stored.
"""

import dataclasses
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import streamlit as st
import uvicorn
from barcode_clips import FPS, FRAMES, barcode_clip
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CLIPS = 16
HERE = Path(__file__).parent
FILES = [barcode_clip(number) for number in range(CLIPS)]
SHORT_FILE = barcode_clip(1, frames=20)


@dataclasses.dataclass
class World:
    """What one run's server side does and knows."""

    supply: int = 1000
    failing: bool = False
    outcome: str = "saved"
    message: str | None = None
    goal: int | None = None
    state: str = "running"
    ended_at: int | None = None
    broken: list[int] = dataclasses.field(default_factory=list)
    short_right: bool = False
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


def _reply(world: World, have: list[str]) -> dict[str, Any]:
    taken_back = {answer["of"] for answer in world.stored.values() if answer["choice"] == "undo"}
    standing = [a for k, a in world.stored.items() if a["choice"] != "undo" and k not in taken_back]
    closed = {answer["query_id"] for answer in standing} | set(have)
    free = [number for number in range(world.supply) if f"q{number}" not in closed]
    queue = [
        {
            "query_id": f"q{number}",
            "left": _clip(world, 2 * number, short=False),
            "right": _clip(world, 2 * number + 1, short=world.short_right),
            "reason": "The reward model is unsure about this pair",
            "reward_version": 3,
            "policy_version": 7,
        }
        for number in free[: max(0, 6 - len(have))]
    ]
    status = {
        "answers": len(standing),
        "goal": world.goal,
        "ready": len(free),
        "state": world.state,
        "reward_version": 3,
        "policy_version": 7,
        "steps": 120000,
        "message": f"Learning from {len(standing)} answers, reward version 3",
    }
    return {"queue": queue, "status": status}


async def queue(request: Request) -> Response:
    """``GET /api/queue``."""
    world = WORLDS[request.query_params["run"]]
    if world.failing:
        return JSONResponse({"error": "the store is busy"}, status_code=503)
    if request.headers.get("x-preference-studio") != "1":
        return JSONResponse({"error": "header missing"}, status_code=403)
    return JSONResponse(_reply(world, [h for h in request.query_params["have"].split(",") if h]))


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
    content = SHORT_FILE if name == "short" else FILES[int(name) % CLIPS]
    return Response(content, media_type="video/mp4", headers={"Cache-Control": "private, max-age=3600"})


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
        Route("/clips/{name}.mp4", clip),
        Route("/stub/{run}", control, methods=["GET", "POST"]),
    ],
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
