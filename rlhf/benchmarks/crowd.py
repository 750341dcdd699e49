"""``crowd``: many annotators at once, in the real app on the loopback interface.

Each joins by an invitation, keeps a tab with its websocket open, fetches every clip and answers at a steady
pace with the requests that the player sends; some requests are sent twice, as after a lost reply. Nothing is
learned meanwhile: pairs are put into the store as fast as they are answered. The people live in this process,
so that what they wait for each other is part of what is measured.
"""

import argparse
import dataclasses
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.benchmarks.crowd_store import Supply, judge, make_run
from rlhf.benchmarks.processes import Tell
from rlhf.benchmarks.results import RESULTS, write_results
from rlhf.benchmarks.studio import running_studio
from rlhf.benchmarks.studio_visitor import Visitor
from rlhf.benchmarks.svg import Panel, Series, curves
from rlhf.config import Settings
from rlhf.errors import ConfigError, JobError
from rlhf.loop.admit_people import invite
from rlhf.seeding import generator
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate
from rlhf.types.people import Role

NAME = "crowd"
BAR_MS = 300.0
_RETRY_SHARE = 0.02
_POLL_S = 0.5
_WINDOWS = 20
_QUICK = {"people": 5, "seconds": 4.0, "every": 0.5}


@dataclasses.dataclass
class Tally:
    """What one person saw."""

    sent: list[str] = dataclasses.field(default_factory=list)
    """Keys of answers."""
    acknowledged: list[str] = dataclasses.field(default_factory=list)
    waits_ms: list[float] = dataclasses.field(default_factory=list)
    """From sending an answer to its acknowledgement."""
    sent_at: list[float] = dataclasses.field(default_factory=list)
    """When each of those was sent, in seconds of a clock that all share."""
    outcomes: list[str] = dataclasses.field(default_factory=list)
    empty_s: float = 0.0
    """Time without a pair to answer."""
    problem: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long they answer")
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="one answer each in so many")
    parser.add_argument("--overlap", type=float, default=0.1, help="share of pairs asked of two people")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few people for a few seconds")
    parser.add_argument("--out", type=Path, default=RESULTS / NAME, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Measure, write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: the app did not start, or a person could not come in.
    """
    if options.quick:
        vars(options).update(_QUICK)
    if options.people < 1 or not options.seconds > 0 or not options.every > 0:
        raise ConfigError("--people must be at least 1, --seconds and --every more than 0.")
    if not 0.0 <= options.overlap <= 1.0:
        raise ConfigError(f"--overlap is {options.overlap}; a share lies in [0, 1].")
    with tempfile.TemporaryDirectory(prefix="preference-studio-") as folder:
        settings = Settings.from_environment({"RLHF_DATA_DIR": folder})
        engine = open_engine(settings.database_url)
        migrate(engine)
        run_id, segments = make_run(engine, Blobs(settings.blob_url))
        supply = Supply(engine, run_id, segments, options.people, options.overlap, options.seed)
        try:
            supply.top_up()
            with running_studio(folder, worker="external") as (url, pid):
                tallies, memory, cpu_s = _measure(options, tell, engine, supply, url, pid)
            found = judge(engine, run_id, [key for tally in tallies for key in tally.sent])
        finally:
            engine.dispose()
    summary = summarise(options, tallies, memory, cpu_s, found)
    write_results(options.out, _rows(tallies), _plot(tallies), summary)
    verdict = "met" if is_met(summary) else "not met"
    bar = f"p95 at most {BAR_MS:g} ms, nothing lost, doubled or beyond the planned overlap"
    return summary, _table(summary), f"Bar ({bar}): {verdict}."


def _measure(
    options: argparse.Namespace, tell: Tell, engine: sa.Engine, supply: Supply, url: str, pid: int
) -> tuple[list[Tally], dict[str, float | None], float | None]:
    """Let everybody in, then answer; return what each saw, and the server's memory and processor seconds."""
    link = invite(engine, Role.ANNOTATOR, now=time.time(), run_id=supply.run_id)
    with Visitors(url) as visitors:
        visitors.enter(link.token, 1, supply.run_id)  # what is loaded once is nobody's session
        memory: dict[str, float | None] = {"before": resident_mb(pid)}
        visitors.enter(link.token, options.people - 1, supply.run_id)
        memory["sessions_open"] = resident_mb(pid)
        tallies = [Tally() for _ in visitors.all]
        stop = threading.Event()
        keeper = threading.Thread(target=supply.keep_up, args=(stop,), daemon=True)
        keeper.start()
        cpu_before = cpu_seconds(pid)
        deadline = time.monotonic() + options.seconds
        threads = [
            threading.Thread(
                target=_answer_on,
                args=(visitor, tally, supply.run_id, options.every, deadline, options.seed, number),
                daemon=True,
            )
            for number, (visitor, tally) in enumerate(zip(visitors.all, tallies, strict=True))
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(1.0, options.seconds / 4))
            given = sum(len(tally.acknowledged) for tally in tallies)
            left = max(0.0, deadline - time.monotonic())
            tell(int(options.seconds - left), int(options.seconds) + 1, f"{given:,} answers")
        stop.set()
        keeper.join()
        memory["after"], cpu_after = resident_mb(pid), cpu_seconds(pid)
    if problems := sorted({tally.problem for tally in tallies if tally.problem}):
        raise JobError(f"{len(problems)} kinds of trouble, the first: {problems[0]}")
    if not any(tally.waits_ms for tally in tallies):
        raise JobError("nobody got to answer; give them more --seconds.")
    used = None if cpu_before is None or cpu_after is None else cpu_after - cpu_before
    return tallies, memory, used


class Visitors:
    """The crowd; leaves when the block ends."""

    def __init__(self, url: str) -> None:
        """Gather at an address; nobody has come yet."""
        self.url = url
        self.all: list[Visitor] = []

    def enter(self, token: str, count: int, run_id: str) -> None:
        """Let some more in by a link, each with the label page in an open tab."""
        for _ in range(count):
            visitor = Visitor(self.url)
            self.all.append(visitor)
            visitor.join(token, f"Person {len(self.all)}")
            visitor.open_tab()
            visitor.show("label", run=run_id)

    def __enter__(self) -> "Visitors":
        return self

    def __exit__(self, *_: object) -> None:
        for visitor in self.all:
            visitor.close()


def _answer_on(
    visitor: Visitor, tally: Tally, run_id: str, every_s: float, deadline: float, seed: int, number: int
) -> None:
    """Answer at a steady pace until the deadline, starting somewhere in the first interval."""
    rng = generator(seed, "crowd", number)
    try:
        pairs: list[dict[str, Any]] = []
        due = time.monotonic() + every_s * rng.random()
        while (now := time.monotonic()) < deadline:
            if not pairs:
                pairs = _fetch_clips(visitor, visitor.queue(run_id, [])["queue"])
                if not pairs:
                    tally.empty_s += _POLL_S
                    time.sleep(_POLL_S)
                    continue
            if now < due:
                time.sleep(min(due, deadline) - now)
                continue
            due = max(due + every_s, now)
            answer = {
                "key": uuid.uuid4().hex,
                "query_id": pairs.pop(0)["query_id"],
                "choice": str(rng.choice(["left", "right", "equal", "skip"])),
            }
            tally.sent.append(answer["key"])
            for _ in range(2 if rng.random() < _RETRY_SHARE else 1):
                have = [pair["query_id"] for pair in pairs]
                began = time.perf_counter()
                reply = visitor.post_answers(run_id, [answer], have)
                tally.waits_ms.append(1000.0 * (time.perf_counter() - began))
                tally.sent_at.append(began)
                tally.acknowledged += [result["key"] for result in reply["results"]]
                tally.outcomes += [result["outcome"] for result in reply["results"]]
                pairs += _fetch_clips(visitor, reply["queue"])
    except (JobError, OSError) as error:
        tally.problem = str(error) or type(error).__name__


def _fetch_clips(visitor: Visitor, pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for pair in pairs:
        for side in ("left", "right"):
            status, _ = visitor.request("GET", "/" + pair[side]["url"])
            if status != 200:
                raise JobError(f"a clip could not be had: the studio answered {status}.")
    return pairs


def resident_mb(pid: int) -> float | None:
    """Return the resident memory of a process in MiB; None where the system does not say."""
    path = Path(f"/proc/{pid}/statm")
    if not path.exists():
        return None
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time a process has used; None where the system does not say."""
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        return None
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summarise(
    options: argparse.Namespace,
    tallies: Sequence[Tally],
    memory: Mapping[str, float | None],
    cpu_s: float | None,
    found: Mapping[str, int],
) -> dict[str, Any]:
    """Return the figures as JSON data."""
    waits = np.array([wait for tally in tallies for wait in tally.waits_ms])
    sent = {key for tally in tallies for key in tally.sent}
    unacknowledged = len(sent - {key for tally in tallies for key in tally.acknowledged})
    before, opened = memory["before"], memory["sessions_open"]
    per_session = None
    if before is not None and opened is not None and options.people > 1:
        per_session = (opened - before) / (options.people - 1)
    return {
        "command": f"python -m rlhf bench {NAME} --people {options.people} --seconds {options.seconds:g} "
        f"--every {options.every:g} --overlap {options.overlap:g} --seed {options.seed}",
        "people": options.people,
        "answers": len(sent),
        "acknowledgement_ms": {
            "median": float(np.median(waits)) if len(waits) else None,
            "p95": float(np.percentile(waits, 95)) if len(waits) else None,
            "max": float(waits.max()) if len(waits) else None,
        },
        "unacknowledged": unacknowledged,
        "refused": sum(outcome == "rejected" for tally in tallies for outcome in tally.outcomes),
        "sent_twice": sum(outcome == "duplicate" for tally in tallies for outcome in tally.outcomes),
        **found,
        "seconds_without_a_pair": sum(tally.empty_s for tally in tallies),
        "server_cpu_ms_per_answer": None if cpu_s is None or not sent else 1000.0 * cpu_s / len(sent),
        "memory_mb": {**memory, "per_session": per_session},
    }


def is_met(summary: Mapping[str, Any]) -> bool:
    """Whether the figures keep to the bar."""
    p95 = summary["acknowledgement_ms"]["p95"]
    faults = ("unacknowledged", "refused", "lost", "doubled", "beyond_overlap")
    return p95 is not None and p95 <= BAR_MS and not any(summary[name] for name in faults)


def _table(summary: Mapping[str, Any]) -> list[list[str]]:
    wait, memory = summary["acknowledgement_ms"], summary["memory_mb"]
    rows = [
        ["people", f"{summary['people']}"],
        ["answers", f"{summary['answers']:,}"],
        ["acknowledged after", "nothing was" if wait["p95"] is None else _wait_text(wait)],
        ["lost", f"{summary['lost']} (not acknowledged: {summary['unacknowledged']})"],
        ["doubled", f"{summary['doubled']} ({summary['sent_twice']} were sent twice on purpose)"],
        ["pairs answered by two", f"{summary['answered_by_two']} of {summary['planned_overlap']} planned"],
        ["beyond the planned overlap", f"{summary['beyond_overlap']}"],
        ["without a pair to answer", f"{summary['seconds_without_a_pair']:.0f} s of all their time"],
    ]
    if memory["per_session"] is not None:
        text = f"{memory['per_session']:.2f} MiB a session, {memory['after']:.0f} MiB at the end"
        rows.append(["memory of the server", text])
    if summary["server_cpu_ms_per_answer"] is not None:
        rows.append(
            ["processor time of the server", f"{summary['server_cpu_ms_per_answer']:.0f} ms an answer"]
        )
    return [["what", "measured"], *rows]


def _wait_text(wait: Mapping[str, float]) -> str:
    return f"median {wait['median']:.0f} ms, p95 {wait['p95']:.0f} ms, at most {wait['max']:.0f} ms"


def _rows(tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    return [
        {
            "person": number,
            "answers": len(tally.sent),
            "median_ms": round(float(np.median(tally.waits_ms)), 2) if tally.waits_ms else None,
            "p95_ms": round(float(np.percentile(tally.waits_ms, 95)), 2) if tally.waits_ms else None,
            "empty_s": tally.empty_s,
        }
        for number, tally in enumerate(tallies)
    ]


def _plot(tallies: Sequence[Tally]) -> str:
    """Return an SVG of how long answers waited, by when they were sent: median and middle 90 %."""
    waits = np.array([wait for tally in tallies for wait in tally.waits_ms])
    times = np.array([at for tally in tallies for at in tally.sent_at])
    edges = np.linspace(times.min(), times.max(), _WINDOWS + 1)
    window = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, _WINDOWS - 1)
    filled = np.unique(window)
    levels = np.array([np.percentile(waits[window == one], [5, 50, 95]) for one in filled])
    series = Series(
        name="all",
        xs=(edges[filled + 1] - edges[0]).tolist(),
        ys=levels[:, 1].tolist(),
        lows=levels[:, 0].tolist(),
        highs=levels[:, 2].tolist(),
    )
    return curves([Panel(title="acknowledged after, ms", series=[series], line=BAR_MS)], "s")
