"""The demonstrator: a short-lived process that steps one environment while a person acts in it.

Started by the renderer for a RECORD job. It calls the web server back, which proves by a token that it was
meant, follows the words that come from the browser, and ends with the connection. An episode is stored only
when the person says so; until then it is in this process's memory alone.
"""

import dataclasses
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

import sqlalchemy as sa

from rlhf.clips.encode import frame_jpeg
from rlhf.clips.live import LivePictures
from rlhf.config import Settings
from rlhf.errors import RlhfError, StorageError
from rlhf.experience.controls import controls_of
from rlhf.experience.recording import EpisodeRecorder, Start, start_within
from rlhf.experience.tasks import get_task, make_env
from rlhf.loop.record_demonstration import Origin, keep_demonstration, new_seed
from rlhf.storage import runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading
from rlhf.types.task import Task
from rlhf.worker.demonstration_wire import PICTURE_HEAD, SPEEDS, Message, packed, receive

IDLE_S = 1800.0
"""A person who does nothing for so long has gone."""
_UNSEEN = 3
"""Pictures under way at most: on a slow line time runs slower, and nobody acts on an old picture."""
_CONNECT_S = 10.0
_LOOK_S = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """Where the web server waits for this process, and for which run."""

    run_id: str
    port: int
    token: str


class Recording:
    """One person's sitting with one environment: any number of episodes, one after the other.

    Args:
        engine: the store's database.
        blobs: the store's files.
        run_id: whose demonstrations these are.
        annotator_id: who acts.
        takeover: ``{"segment": id, "frame": number}`` of the clip in which every episode begins; None for a
            new reset each.
        connection: to the web server.
    """

    def __init__(
        self,
        engine: sa.Engine,
        blobs: Blobs,
        run_id: str,
        annotator_id: str,
        takeover: dict[str, Any] | None,
        connection: socket.socket,
    ) -> None:
        self._engine, self._blobs, self._run_id = engine, blobs, run_id
        self._annotator_id, self._connection = annotator_id, connection
        self._origin: Origin | None = None
        self._task, start = self._find_start(takeover)
        self._recorder = EpisodeRecorder(self._task, start)
        self._controls = controls_of(self._task, self._recorder.action_space)
        self._pictures = LivePictures(lambda **options: make_env(self._task, **options))
        self._held: list[int] = []
        self._is_running = False
        self._speed = 1.0
        self._number = self._seen = 0
        self._due = self._heard_at = time.monotonic()

    def serve(self) -> None:
        """Go on until the connection or the parent process is gone."""
        parent = os.getppid()
        self._say_what_it_is()
        self._begin(self._recorder.start)
        while os.getppid() == parent:
            now = time.monotonic()
            if now - self._heard_at > IDLE_S:
                self._send({"type": "ended", "message": "Nothing was done for half an hour."})
                return
            may_show = self._is_running and self._number - self._seen < _UNSEEN
            if may_show and now >= self._due:
                self._advance(now)
                continue
            patience = min(_LOOK_S, self._due - now) if may_show else _LOOK_S
            if select.select([self._connection], [], [], patience)[0]:
                message = receive(self._connection)
                if not isinstance(message, dict):
                    return
                self._heard_at = time.monotonic()
                self._obey(message)

    def close(self) -> None:
        """Release the simulators."""
        self._recorder.close()
        self._pictures.close()

    def _find_start(self, takeover: dict[str, Any] | None) -> tuple[Task, Start]:
        with reading(self._engine) as connection:
            task = get_task(runs.get_run(connection, self._run_id)["task"])
            if takeover is None:
                return task, Start(reset_seed=new_seed())
            row = segments.get_segment_row(connection, takeover["segment"])
            if row["run_id"] != self._run_id:
                raise RlhfError("that clip belongs to another run; choose one of this run.")
            segment = segments.load_segment(connection, self._blobs, row["id"])
        self._origin = Origin(segment_id=row["id"], step=takeover["frame"] * task.frame_skip)
        return task, start_within(task, segment, self._origin.step)

    def _say_what_it_is(self) -> None:
        self._send(
            {
                "type": "about",
                "controls": [{"name": c.name, "key": c.key} for c in self._controls.controls],
                "idle": self._controls.idle_text,
                "fps": self._task.playback_fps,
                "speeds": SPEEDS,
            }
        )

    def _begin(self, start: Start) -> None:
        self._recorder.begin(start)
        self._pictures.begin(start.reset_seed, start.actions)
        self._is_running, self._held = False, []
        self._show()
        self._tell()

    def _obey(self, word: dict[str, object]) -> None:
        match word:
            case {"type": "seen", "number": int(number)}:
                self._seen = max(self._seen, min(number, self._number))
            case {"type": "hold", "controls": list(held)}:
                self._held = [index for index in held if 0 <= index < len(self._controls.controls)]
            case {"type": "speed", "value": float(value)}:
                self._speed = value
            case {"type": "run"} if self._recorder.steps_left:
                self._is_running, self._due = True, time.monotonic()
                self._tell()
            case {"type": "pause"}:
                self._is_running = False
                self._tell()
            case {"type": "restart"}:
                self._begin(self._recorder.start)
            case {"type": "discard"}:
                self._begin(self._next_start())
            case {"type": "keep"}:
                self._keep()

    def _advance(self, now: float) -> None:
        """Take the steps up to the next picture and show it."""
        for _ in range(self._task.frame_skip):
            if not self._recorder.steps_left:
                break
            action = self._controls.action(self._held, self._recorder.num_steps)
            self._recorder.step(action)
            if self._recorder.sim_state is None:
                self._pictures.step(action)
        self._due = max(now, self._due + 1.0 / (self._task.playback_fps * self._speed))
        self._show()
        if not self._recorder.steps_left:
            self._is_running = False
            self._tell()

    def _show(self) -> None:
        self._number += 1
        picture = frame_jpeg(self._pictures.draw(self._recorder.sim_state))
        self._send(PICTURE_HEAD.pack(self._number, self._recorder.num_steps) + picture)

    def _tell(self) -> None:
        """Say where the episode stands."""
        recorder = self._recorder
        phase = "running" if self._is_running else "paused" if recorder.num_steps else "ready"
        self._send(
            {
                "type": "state",
                "phase": phase if recorder.steps_left else "over",
                "terminated": recorder.terminated,
                "steps": recorder.num_steps,
                "left": recorder.steps_left,
            }
        )

    def _keep(self) -> None:
        self._is_running = False
        if not self._recorder.num_steps:
            self._send({"type": "problem", "message": "There is nothing to keep yet."})
            return
        try:
            kept = keep_demonstration(
                self._engine,
                self._blobs,
                self._run_id,
                self._recorder,
                annotator_id=self._annotator_id,
                origin=self._origin,
            )
        except StorageError as error:  # the episode is still here; the person may try again
            self._send({"type": "problem", "message": f"Not kept: {error}"})
            self._tell()
            return
        self._send({"type": "kept", "id": kept, "steps": self._recorder.num_steps})
        self._begin(self._next_start())

    def _next_start(self) -> Start:
        return Start(reset_seed=new_seed()) if self._origin is None else self._recorder.start

    def _send(self, message: Message) -> None:
        self._connection.sendall(packed(message))


def answer_call(call: Call) -> None:
    """Connect to the web server that called, and record until it or its browser has had enough."""
    settings = Settings.from_environment()
    engine, blobs = open_engine(settings.database_url), Blobs(settings.blob_url)
    with socket.create_connection(("127.0.0.1", call.port), _CONNECT_S) as connection:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(packed({"type": "hello", "token": call.token}))
        opening = receive(connection)
        if not isinstance(opening, dict):
            return
        try:
            recording = Recording(
                engine,
                blobs,
                call.run_id,
                opening["annotator"],
                opening["takeover"],
                connection,
            )
        except RlhfError as error:
            connection.sendall(packed({"type": "ended", "message": str(error)}))
            return
        try:
            recording.serve()
        finally:
            recording.close()


def main() -> None:
    """Read a call from standard input, where no other process can see it, and answer it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; we notice its end
    call = json.loads(sys.stdin.readline())
    try:
        answer_call(Call(run_id=call["run_id"], port=int(call["port"]), token=call["token"]))
    except ConnectionError as error:
        print(f"demonstrator: the web server has gone: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
