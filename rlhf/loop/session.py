"""What a run carries from step to step, how it begins and how it goes on after a stop or a crash.

A checkpoint holds everything that the next step depends on: weights, optimisers, normalisers, random
generators, the environments, and the memory of recent behaviour.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.config import digest, to_dict
from rlhf.errors import CheckpointError, RlhfError
from rlhf.experience.rollout import Collector
from rlhf.experience.tasks import get_task
from rlhf.experience.vector import VectorStepper
from rlhf.loop.config import RunConfig, resolve
from rlhf.loop.device import choose_device
from rlhf.loop.gate_state import GateState
from rlhf.loop.memory import Memory
from rlhf.loop.processes import num_processes
from rlhf.loop.schedule import pessimism
from rlhf.loop.world_state import WorldState
from rlhf.policy.ppo import PPO
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.seeding import generator, generator_state, restore_generator
from rlhf.storage import models, queries, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Float32
from rlhf.types.task import ActionSpace, Task

CHECKPOINT_FORMAT = 1
_COUNTERS = (
    "steps",
    "fitted",
    "fitted_id",
    "reward_version",
    "reward_is_new",
    "saved_policy_steps",
    "seconds",
)
_NEWER_COUNTERS = (
    "critic_reward",
    "careful_left",
    "adopted_steps",
    "fitted_act",
    "fitted_design",
    "stirred_until",
    "explore_until",
    "explorer",
    "practice_began",
    "was_given_policy",
)
"""Not in the checkpoints of earlier programs, which can be used all the same."""
_STREAMS = ("act", "queries", "reward")


@dataclasses.dataclass(kw_only=True)
class Session:
    """One run in the hands of the process that advances it. The verbs of ``loop`` read and change it."""

    run_id: str
    task: Task
    config: RunConfig
    seed: int
    engine: sa.Engine
    blobs: Blobs
    action_space: ActionSpace
    collector: Collector
    policy: PPO
    memory: Memory
    rngs: dict[str, np.random.Generator]
    is_simulated: bool
    """A teacher answers at once between turns: questions come in sessions, and no clip is drawn."""
    guard: Callable[[sa.Connection], object] = lambda connection: None
    """Called first in every write: raises when the run is no longer ours, which undoes the write."""
    reward: RewardModel | None = None
    reward_version: int = 0
    reward_is_new: bool = False
    """The critic still belongs to the reward before."""
    critic_reward: int = 0
    """Version of the reward that the critic belongs to; 0 before the first."""
    careful_left: int = 0
    """Updates that are still to move the policy only a little."""
    adopted_steps: int = 0
    """Steps at which the reward last became another."""
    fitted: int = 0
    """Comparisons that the current reward was fitted to."""
    fitted_id: int = 0
    """Number of the newest row of answers at that time."""
    fitted_act: int = 0
    """Number of the newest decision about what to learn from at that time."""
    fitted_design: int = 0
    """Number of the newest design at that time."""
    stirred_until: int = 0
    """Steps up to which the policy moves and tries more, as the world has changed."""
    explore_until: int = 0
    """Steps up to which the policy seeks what is new, before it learns what people want."""
    explorer: int = 0
    """Version of the policy that sought novelty; 0 if none did."""
    practice_began: int = 0
    """Steps at which the policy was last learned afresh."""
    was_given_policy: bool = False
    """The policy comes from elsewhere, or imitates; it is not learned afresh, which would throw that away."""
    world: WorldState | None = None
    """What says whether the world is still the same; None if nobody looks."""
    gates: GateState = dataclasses.field(default_factory=GateState)
    """What warns of a reward gone wrong, and the policy to go back to."""
    is_saved: bool = False
    """Whether nothing has happened since the last checkpoint."""
    message: str = ""
    """What people were last told of a run that waits."""
    steps: int = 0
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    """Wall time by stage."""
    saved_policy_steps: int = -1
    curve_steps: int = 0
    """Steps at the last point of the curves."""
    predicted_reward: float = 0.0
    """Mean predicted reward per step of the last rollout."""
    published_at: float = 0.0
    checkpoint_at: float = dataclasses.field(default_factory=time.monotonic)
    features: dict[str, Float32] = dataclasses.field(default_factory=dict)
    """Reward features by segment id, so that a fit reads each answered segment once."""
    predicted_returns: dict[int, float] = dataclasses.field(default_factory=dict)
    """Of remembered episodes, by reset seed, under the reward that the critic belongs to."""
    motions: dict[str, Float32] = dataclasses.field(default_factory=dict)
    """What segments that were asked about look like, by id, so that each is read once."""

    @property
    def inputs(self) -> RewardInputs:
        """How the reward sees transitions."""
        return RewardInputs.of(self.config.reward, self.action_space)

    @property
    def progress(self) -> float:
        """Share of the run's steps done, in [0, 1]."""
        return min(1.0, self.steps / self.config.schedule.total_steps)

    @property
    def is_exploring(self) -> bool:
        """Whether the policy still seeks what is new, before it learns what people want."""
        return self.steps < self.explore_until

    @property
    def restarts(self) -> tuple[int, ...]:
        """Steps at which the policy is learned afresh, rising."""
        shares = () if self.was_given_policy else self.config.improve.restarts
        return tuple(round(share * self.config.schedule.total_steps) for share in shares)

    @property
    def practice_ends(self) -> int:
        """Steps at which the policy is next learned afresh, or the run ends."""
        total = self.config.schedule.total_steps
        return next((mark for mark in self.restarts if mark > self.practice_began), total)

    @property
    def practised(self) -> float:
        """Share done of the steps that the present policy has, in [0, 1]."""
        steps = self.practice_ends - self.practice_began
        return min(1.0, max(0.0, (self.steps - self.practice_began) / steps))

    @property
    def is_policy_due(self) -> bool:
        """Whether the policy is to be saved again, to be watched."""
        between = self.config.schedule.total_steps / self.config.keep.policies
        return self.steps - self.saved_policy_steps >= between

    @property
    def pessimism(self) -> float:
        """How many ensemble spreads are taken off the current reward; below 0 added."""
        return pessimism(self.config, self.fitted, self.progress)

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done."""
        return self.steps >= self.config.schedule.total_steps

    def begin_with(self, reward: RewardModel) -> None:
        """Go on from a reward that is stored: by an earlier program it may see less than one would today."""
        self.reward = reward
        seen = dataclasses.replace(self.config.reward, **reward.config.inputs())
        self.config = dataclasses.replace(self.config, reward=seen)

    def close(self) -> None:
        """Release the simulators and end the processes beside this one."""
        self.collector.stepper.close()
        self.policy.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a write transaction that only the run's present owner can commit.

        Raises:
            LeaseLostError: another worker has taken the run over.
            StorageError: the database cannot be written.
        """
        with writing(self.engine) as connection:
            self.guard(connection)
            yield connection

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of a block towards a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def open_session(engine: sa.Engine, blobs: Blobs, run_id: str, *, is_simulated: bool = False) -> Session:
    """Return the run's session, from its newest readable checkpoint or from the beginning.

    A damaged checkpoint is passed over with an event on the run, and the one before it is used.

    Raises:
        TaskError, ConfigError: the run's task or settings cannot be used here.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        saved = models.list_checkpoints(connection, run_id)
    task = get_task(run["task"])
    config = resolve(task, run["overrides"])
    for row in saved:
        session = _new_session(engine, blobs, run, task, config, is_simulated)
        try:
            _restore(session, *blobs.read_arrays(row["arrays"]))
        except (RlhfError, KeyError, ValueError, TypeError) as error:
            message = (
                f"The checkpoint at {row['steps']:,} steps cannot be used ({error}); trying the one before."
            )
            with writing(engine) as connection:
                runs.add_event(connection, run_id, row["steps"], "checkpoint", message)
            continue
        with writing(engine) as connection:
            _forget_lost_stretch(connection, session)
            runs.add_event(
                connection, run_id, session.steps, "resume", f"Going on from {session.steps:,} steps."
            )
        return session
    session = _new_session(engine, blobs, run, task, config, is_simulated)
    with writing(engine) as connection:
        resolved = to_dict(config) | {"digest": digest(config)}
        runs.update_run(
            connection,
            run_id,
            config=resolved,
            total_steps=config.schedule.total_steps,
            # not news for a new run, but for one whose checkpoints are all damaged
            steps=0,
            policy_version=0,
            reward_version=0,
        )
        runs.drop_measurements_after(connection, run_id, -1)
        runs.add_event(connection, run_id, 0, "start", f"Started with seed {run['seed']}.")
    return session


def _forget_lost_stretch(connection: sa.Connection, session: Session) -> None:
    """Take back what was published after the checkpoint and will be done again; answers stay."""
    runs.drop_measurements_after(connection, session.run_id, session.steps)
    models.drop_versions_after(connection, session.run_id, session.steps)
    queries.expire_after(connection, session.run_id, session.reward_version)
    runs.update_run(
        connection,
        session.run_id,
        steps=session.steps,
        policy_version=session.policy.version,
        reward_version=session.reward_version,
    )


def save_checkpoint(session: Session) -> None:
    """Store the session so that ``open_session`` goes on exactly from here.

    Raises:
        StorageError: the disk is full; earlier checkpoints stay as they are.
    """
    arrays, details = _state(session)
    name = session.blobs.write_arrays(
        arrays, details, compress=False
    )  # it is written often and soon forgotten
    with session.writing() as connection:
        forgotten = models.insert_checkpoint(
            connection, session.run_id, arrays=name, steps=session.steps, keep=session.config.keep.checkpoints
        )
    for blob in forgotten:
        session.blobs.delete(blob)
    session.checkpoint_at = time.monotonic()
    session.is_saved = True


def _new_session(
    engine: sa.Engine, blobs: Blobs, run: sa.RowMapping, task: Task, config: RunConfig, is_simulated: bool
) -> Session:
    seed = run["seed"]
    processes = num_processes(config)
    stepper = VectorStepper(task, config.collect.num_envs, seed, stagger=True, processes=processes)
    rng = generator(seed, "policy")
    spaces = stepper.observation_dim, stepper.action_space
    return Session(
        run_id=run["id"],
        is_simulated=is_simulated,
        task=task,
        config=config,
        seed=seed,
        engine=engine,
        blobs=blobs,
        action_space=stepper.action_space,
        collector=Collector(stepper),
        policy=PPO(
            config.following,
            *spaces,
            rng,
            processes=processes,
            device=choose_device(config.device, config.ppo.hidden),
        ),
        memory=Memory(
            recent=config.collect.recent_episodes,
            older=config.collect.older_episodes,
            rollouts=config.collect.recent_rollouts,
            rng=generator(seed, "memory"),
        ),
        rngs={name: generator(seed, name) for name in _STREAMS},
        world=world_state(config, stepper, seed),
    )


def world_state(config: RunConfig, stepper: VectorStepper, seed: int) -> WorldState | None:
    """Return what says whether the world stays the same, knowing nothing yet; None if nobody is to look."""
    if not config.world.watch:
        return None
    return WorldState(config.world, stepper.observation_dim, stepper.action_space, generator(seed, "world"))


def _state(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays: dict[str, Any] = {}
    details: dict[str, Any] = {
        "format_version": CHECKPOINT_FORMAT,
        **{name: getattr(session, name) for name in (*_COUNTERS, *_NEWER_COUNTERS)},
        "rngs": {name: generator_state(rng) for name, rng in session.rngs.items()},
    }
    parts: dict[str, dict[str, Any]] = {
        "policy": session.policy.state_dict(),
        "collector": session.collector.state_dict(),
    }
    memory_arrays, details["memory"] = session.memory.state_dict()
    parts["memory"] = memory_arrays
    details["gates"] = session.gates.to_details()
    if session.gates.champion is not None:
        parts["champion"] = session.gates.champion.policy
    if session.world is not None:
        parts["world"] = session.world.state_dict()
    if session.reward is not None:
        parts["reward"] = dict(session.reward.to_arrays())
    for part, state in parts.items():
        details[part] = details.get(part, {})
        for key, value in state.items():
            if isinstance(value, np.ndarray):
                arrays[f"{part}:{key}"] = value
            else:
                details[part][key] = value
    return arrays, details


def _restore(session: Session, arrays: dict[str, Any], details: dict[str, Any]) -> None:
    if details.get("format_version") != CHECKPOINT_FORMAT:
        raise CheckpointError(f"it has format {details.get('format_version')}, known is {CHECKPOINT_FORMAT}")

    def part(name: str) -> dict[str, Any]:
        prefix = f"{name}:"
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    session.policy.load_state_dict(part("policy") | details["policy"])
    session.collector.load_state_dict(part("collector") | details["collector"])
    session.memory.load_state_dict(part("memory"), details["memory"])
    if reward := part("reward"):
        session.begin_with(RewardModel.from_arrays(reward))
    for name, state in details["rngs"].items():
        restore_generator(session.rngs[name], state)
    if session.world is not None and "world" in details:
        session.world.load_state_dict(part("world") | details["world"])
    if gates := details.get("gates"):
        session.gates = GateState.from_details(gates, part("champion") | details.get("champion", {}))
    for name in _COUNTERS:
        setattr(session, name, details[name])
    for name in _NEWER_COUNTERS:
        setattr(session, name, details.get(name, getattr(session, name)))
