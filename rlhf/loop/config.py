"""The configuration of a run: the stages' own configurations composed, plus what only the loop decides."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from rlhf.config import override
from rlhf.errors import ConfigError
from rlhf.policy.cloning import CloneConfig
from rlhf.policy.config import PPOConfig
from rlhf.queries.config import QueryConfig
from rlhf.reward.config import RewardConfig
from rlhf.types.task import Task

Device = Literal["auto", "cpu", "cuda"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CollectConfig:
    """How behaviour is gathered."""

    num_envs: int = 8
    """Environments stepped together."""
    explore_steps: int = 16_000
    """Steps of diverse random behaviour, all of which the first queries are drawn from. No more than a
    fifth of the run's steps are spent on it, but one episode in every environment."""
    novelty_steps: int = 0
    """Steps after that in which the policy is paid for being where nothing was yet, before it learns what
    people want. Worth it where random behaviour shows next to nothing of that: 60_000; 0: none. No more than
    a fifth of the run's either."""
    recent_episodes: int = 24
    """Finished episodes that count as near-on-policy when queries are chosen."""
    older_episodes: int = 48
    """Earlier episodes kept, a thinning sample, so that new behaviour can be compared with old."""
    recent_rollouts: int = 8
    """Rollouts kept to be relabelled when the reward changes."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require_at_least(1, self, "num_envs", "recent_episodes", "older_episodes", "recent_rollouts")
        _require_at_least(0, self, "explore_steps", "novelty_steps")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """When questions are asked, learned from and how long a run goes on."""

    total_steps: int = 1_000_000
    """Environment steps after which the run is finished."""
    labels: int = 200
    """Answers a synthetic teacher gives in all; people may give as many as they like."""
    initial_share: float = 0.2
    """Share of a teacher's answers given before the policy starts to learn."""
    initial_labels: int = 40
    """At least so many of them. A policy that follows a reward learned from too few settles early for what it
    is hard to get out of; of few answers in all, those about its own behaviour are too few then."""
    labels_end: float = 0.6
    """Share of the steps by which a teacher has given all answers."""
    front_load: float = 20.0
    """How fast the rate of a teacher's answers falls: at the end of the labelling time it is 1 / (1 + this)
    of that at its start. The first behaviour that was practised is worth asking about at once: a policy that
    follows a reward learned from random behaviour alone settles for what it is hard to get out of. 0 spreads
    them evenly."""
    session_labels: int = 5
    """Answers of a teacher between two reward versions, at least; later ``refit_share`` of those given."""
    open_queries: int = 20
    """Drawn pairs kept ahead of people."""
    first_answers: int = 8
    """Answers before the first reward version when people answer."""
    refit_answers: int = 4
    """New answers before the next reward version, at least ..."""
    refit_share: float = 0.1
    """... and at least this share of the answers learned from so far."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require_at_least(
            1, self, "total_steps", "session_labels", "open_queries", "first_answers", "refit_answers"
        )
        _require_at_least(0, self, "labels", "initial_labels", "front_load", "refit_share")
        for name in ("initial_share", "labels_end"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; a share lies in [0, 1].")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImproveConfig:
    """How the policy follows a learned reward, and what is done when that changes."""

    min_advantage_sd: float = 1.0
    """Advantages are not blown up beyond this scale, in standard deviations of the reward. Once a policy
    does well, what the learned reward says of its small differences is mostly error, and following it at
    full strength leads away again; 0 follows it, 0.3 to 3."""
    same_reward_correlation: float = 0.98
    """A new reward that correlates with the one before by more than this, over the latest rollout, simply
    takes its place; 1: every new reward is adopted with the four steps that follow."""
    relabel: bool = True
    """Refit the critic on all recent rollouts under the new reward, or on the latest one only."""
    refit_critic: bool = True
    """Fit the critic to the new reward before the policy follows it. Without, advantages are for a while
    the difference of two rewards and not of two actions."""
    refit_again_below: float = 0.3
    """Explained variance of a refitted critic below which it is refitted once more; -1 hardly ever."""
    careful_updates: int = 0
    """Updates after an adoption that may move the policy only by ``careful_target_kl``."""
    careful_target_kl: float = 0.01
    """The KL bound of those updates, where ``ppo.target_kl`` is not tighter."""
    moving_entropy: float = 0.0
    """Entropy coefficient while the reward moves, where ``ppo.entropy_coef`` is not higher: a policy that is
    sure of the old reward learns the new one slowly. 0.01 in https://arxiv.org/abs/1706.03741; 0 to 0.02."""
    settled_share: float = 0.1
    """Share of the run's steps without a new reward after which it no longer counts as moving."""
    late_pessimism: float = 0.0
    """Added to ``reward.pessimism`` once ``late_share`` of the answers are in: from then on the policy is
    kept where the ensemble agrees. Against over-optimisation: https://arxiv.org/abs/2310.02743."""
    late_share: float = 0.5
    """Share of ``schedule.labels`` at which that is; above 1: hardly ever."""
    curiosity: float = 0.0
    """Ensemble standard deviations that are added to the reward that the policy follows as long as
    people are asked, to ``schedule.labels_end``: it goes for what the members disagree about, and is asked
    about. Later nobody would say where it is wrong. Policies are judged by the mean throughout. beta of
    https://arxiv.org/abs/2205.12401, but constant, of normalised rewards, and then none; there it decays from
    .05. Worth it where nothing leads to what people want but one unlikely movement: 1; 0 elsewhere."""
    max_discount: float = 1.0
    """Bound on ``ppo.discount`` while the reward is a learned one. What answers leave open is above all
    what a step is worth beside being over. That error counts 1 / (1 - discount) times and in the end
    outweighs everything else: a policy hovers for ever rather than lands. .99 where episodes are long and can
    end early; 1: no bound."""
    ending_cost: float = 0.0
    """How much less than the reward model says being over is worth to the policy, per step and in standard
    deviations of the reward. A policy that cannot land yet learns a jump and then, as an end costs nothing,
    that nothing is worth landing for; with too much it never leaves the ground. 0; where a fall is rest
    (``reward.rest``) .2 to .4."""
    restarts: tuple[float, ...] = ()
    """Shares of the run's steps, rising, at which the policy is learned afresh with the reward as it is then,
    or goes on from what sought the new (``collect.novelty_steps``). A policy settles while the reward still
    changes, and chance decides for what; another start may find better, and shows other behaviour to ask
    about. All stay saved, and the one that the last reward likes best counts. Worth it where steps are cheap
    beside answers. Source: https://arxiv.org/abs/2205.07802, for off-policy learners."""
    resume_best: bool = False
    """At the last of ``restarts`` practice goes on from the saved policy that the reward then likes best, in
    place of another start: what was found is practised to the end, and asked about."""

    self_imitation: float = 0.0
    """Learning rate, as a share of the policy's, of a pass over the best remembered episodes after each
    update, see ``imitate_best``; 0: none. For goals that are rarely reached, 0.1 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require_at_least(
            0,
            self,
            "self_imitation",
            "min_advantage_sd",
            "careful_updates",
            "moving_entropy",
            "settled_share",
            "late_pessimism",
            "late_share",
            "curiosity",
            "ending_cost",
        )
        _require_at_least(-1, self, "same_reward_correlation", "refit_again_below")
        if list(self.restarts) != sorted(set(self.restarts)) or not all(0 < at < 1 for at in self.restarts):
            raise ValueError(f"restarts are {self.restarts}; give rising shares between 0 and 1.")
        if self.resume_best and not self.restarts:
            raise ValueError(
                "resume_best is True and there are no restarts; give improve.restarts or set it to False."
            )
        if not 0 < self.max_discount <= 1:
            raise ValueError(f"max_discount is {self.max_discount}; it must lie in (0, 1].")
        if not self.careful_target_kl > 0:
            raise ValueError(f"careful_target_kl is {self.careful_target_kl}; it must be above 0.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemonstrationConfig:
    """What episodes that somebody showed are used for."""

    share: float = 0.25
    """Share of the weight of what the reward learns from, at most, that says that a demonstration is better
    than recent behaviour; 0 uses none. Demonstrations say nothing about what differs among good behaviour,
    and a person's can be clumsy, so answers are to outweigh them. 0 to 0.5."""
    weight: float = 0.3
    """What each such comparison counts beside an answer. Less: more and different ones make up the share, and
    no single clumsy stretch matters; above 0, to 1."""
    until: float = 0.4
    """Share of such comparisons in which the present reward finds recent behaviour better, from which on they
    are left out: about half would mean that the policy does what was shown."""
    initial_labels: int = 8
    """``schedule.initial_labels`` at most, of a run that something was shown to. What random behaviour lacks
    is known then: few answers are spent on it."""
    clone: bool = False
    """Start from a policy that imitates the demonstrations there are when the run starts."""
    hold: float = 1.0
    """``ppo.reference_kl`` of such a policy where that is 0; it falls to 0 at the end of the run. A reward
    that was learned from few answers leads away from what was shown, and mostly to worse. .3 to 3 do alike
    on LunarLander; 0 lets it go at once."""
    hold_lasting: float = 0.5
    """Only what lasts is held to: an imitator half of whose episodes end by themselves before this share of
    the length of those shown falls, or the like, and is a start to learn from but nothing to keep to. 0 holds
    all."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0.0 <= self.share <= 0.9:
            raise ValueError(f"share is {self.share}; it must lie in [0, 0.9].")
        if not 0.0 < self.weight <= 1.0:
            raise ValueError(f"weight is {self.weight}; it must lie in (0, 1].")
        if not 0.0 <= self.until <= 1.0:
            raise ValueError(f"until is {self.until}; it must lie in [0, 1].")
        if not self.hold >= 0.0:  # so that NaN is refused too
            raise ValueError(f"hold is {self.hold}; it must not be negative.")
        if not 0.0 <= self.hold_lasting <= 1.0:
            raise ValueError(f"hold_lasting is {self.hold_lasting}; it must lie in [0, 1].")
        _require_at_least(0, self, "initial_labels")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GateConfig:
    """When a run warns of its reward, and when its policy goes back to the best one stored.

    Warnings are events on the run. Answers are never given up.
    """

    audit_floor: float = 0.65
    """Warn if the audit accuracy is below this, the better end of its interval included, and fewer of the
    answers that it was sure of came than it had promised."""
    audit_gap: float = 0.2
    """Warn if it is so much below the accuracy on the answers that were learned, and below the promise."""
    audit_window: int = 50
    """Latest audit answers that are looked at. More: steadier, and slower to notice."""
    min_audits: int = 12
    """Fewer audit answers than this warn of nothing."""
    confidence: float = 0.8
    """Of the audit accuracy's interval. More: fewer false warnings, and later ones."""
    surprise_window: int = 20
    """Latest answers, to pairs of any kind that a reward had judged before, that are looked at together.
    More: steadier, and slower to notice."""
    surprise_limit: float = 3.5
    """Warn if so many standard deviations less of them was foreseen than the reward had promised. Less:
    sooner, and false warnings where it is too sure of itself. 3 to 5."""
    drift_updates: int = 5
    """Updates over which mean reward and lower bound, and unfamiliar steps, are looked at."""
    drift_rise: float = 1.0
    """Warn if the mean reward rises by more than this, in standard deviations of the reward, while its lower
    bound (the mean less one ensemble spread) does not rise at all."""
    familiar_percentile: float = 95.0
    """Steps are unfamiliar if the ensemble's spread passes this percentile of that on answered clips."""
    unfamiliar_share: float = 0.3
    """Warn if more of the steps than this are unfamiliar."""
    unfamiliar_queries: float = 0.3
    """Share of candidates, at least, that show what has not been asked about while that warning stands."""
    contest_share: float = 0.05
    """Share of queries that show random segments of the newest policy and the best one stored. 0 to 0.2."""
    contest_loss: float = 0.1
    """The policy goes back when the chance that people prefer it to the best one stored falls below this."""
    min_contests: int = 4
    """Fewer decided contests than this change nothing."""
    worse_by: float = 0.5
    """It also goes back when the present reward, mean and lower bound alike, puts it this far below the best
    one stored, in standard deviations of the reward per step."""
    worse_doubt: float = 2.0
    """Standard errors, over episodes, by which that is allowed to be chance: a policy that falls over in
    one episode of three is not given up for a bad draw. More: goes back less often, and later. 0 to 4."""
    win_rate_window: int = 10
    """Latest blind pairs that are looked at, of policies that were saved one after the other."""
    win_rate_loss: float = 0.02
    """Warn when the chance that people prefer newer policies, by those blind pairs, falls below this. More:
    sooner, and false warnings once practice changes nothing any more; 0 never. 0 to 0.1."""
    min_updates: int = 8
    """Updates a policy has before it is compared with the best one stored; twice as many after each loss."""
    roll_back: bool = True
    """Whether policies go back at all, or a lost comparison is only an event."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require_at_least(
            1,
            self,
            "audit_window",
            "min_audits",
            "drift_updates",
            "min_contests",
            "min_updates",
            "win_rate_window",
            "surprise_window",
        )
        _require_at_least(0, self, "audit_gap", "drift_rise", "worse_by", "worse_doubt", "surprise_limit")
        for name in (
            "audit_floor",
            "confidence",
            "unfamiliar_share",
            "unfamiliar_queries",
            "contest_share",
            "contest_loss",
            "win_rate_loss",
        ):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")
        if not self.confidence < 1.0:
            raise ValueError(f"confidence is {self.confidence}; it must be below 1.")
        if not 0.0 <= self.familiar_percentile <= 100.0:
            raise ValueError(f"familiar_percentile is {self.familiar_percentile}; it must lie in [0, 100].")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """How a run notices that its world has become another one, and what it does about that.

    A model of what follows an action learns beside the policy. When it foretells new steps much worse than it
    used to, and goes on doing so, the world has changed.
    """

    watch: bool = False
    """Whether it looks at all: the model takes a tenth to a third of a small run's time."""
    limit: float = 12.0
    """Warn when the excess of the model's error, summed up over readings in its usual spreads, passes this.
    More: fewer false warnings, and later ones; a reading adds 3 at most. 8 to 30."""
    warm_up: int = 30
    """Readings, one for 256 steps or a shorter rollout, that only say how well steps are usually foretold."""
    steps_per_update: int = 16
    """Environment steps for each gradient step of the model. Less: it foretells better, and takes longer."""
    adapt: bool = False
    """After a warning: forget rollouts and the best policy of the world before, refit the critic to what came
    since, and let the policy move and try more for a while. Measured by ``bench drift``: a loss on CartPole,
    no difference that could be told from chance on Pendulum."""
    refit_updates: int = 400
    """Gradient steps of the model then."""
    stirred_share: float = 0.2
    """Share of the run's steps for which the policy moves and tries more."""
    stirred_learning_rate: float = 1.0
    """Learning rate meanwhile, at least, as a share of the first one."""
    stirred_entropy: float = 0.01
    """Entropy coefficient meanwhile, at least. 0 to 0.02."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require_at_least(1, self, "warm_up", "steps_per_update", "refit_updates")
        _require_at_least(0, self, "limit", "stirred_entropy")
        for name in ("stirred_share", "stirred_learning_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeepConfig:
    """What is saved and how often."""

    policies: int = 40
    """Policies saved over a run to be watched and compared."""
    checkpoint_s: float = 12.0
    """Seconds between checkpoints; at most so much work is repeated after a crash."""
    checkpoints: int = 2
    """Checkpoints kept; the one before is used when the newest is damaged."""
    evaluation_episodes: int = 5
    """Episodes per saved policy."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require_at_least(1, self, "policies", "checkpoints", "evaluation_episodes")
        _require_at_least(0, self, "checkpoint_s")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferConfig:
    """What a run starts from that was learned elsewhere."""

    reward_from: str = ""
    """``RUN:VERSION``, the reward of another run that this one's starts from, of the same environment or one
    whose observations have the same names. Unseen answers say how far it is followed, and whether it is used
    at all. Empty: none."""

    def __post_init__(self) -> None:
        """Check the form."""
        run_id, _, version = self.reward_from.rpartition(":")
        if self.reward_from and not (run_id and version.isdecimal() and int(version) > 0):
            raise ValueError(
                f"reward_from is {self.reward_from!r}; it must be RUN:VERSION, such as 1a2b3c:4, or empty."
            )

    @property
    def source(self) -> tuple[str, int]:
        """The run and the version of ``reward_from``, which must not be empty."""
        run_id, _, version = self.reward_from.rpartition(":")
        return run_id, int(version)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides how a run goes, beside its task and its seed."""

    collect: CollectConfig = dataclasses.field(default_factory=CollectConfig)
    ppo: PPOConfig = dataclasses.field(default_factory=PPOConfig)
    reward: RewardConfig = dataclasses.field(default_factory=RewardConfig)
    queries: QueryConfig = dataclasses.field(default_factory=QueryConfig)
    schedule: ScheduleConfig = dataclasses.field(default_factory=ScheduleConfig)
    improve: ImproveConfig = dataclasses.field(default_factory=ImproveConfig)
    gates: GateConfig = dataclasses.field(default_factory=GateConfig)
    world: WorldConfig = dataclasses.field(default_factory=WorldConfig)
    demonstrations: DemonstrationConfig = dataclasses.field(default_factory=DemonstrationConfig)
    cloning: CloneConfig = dataclasses.field(default_factory=CloneConfig)
    keep: KeepConfig = dataclasses.field(default_factory=KeepConfig)
    transfer: TransferConfig = dataclasses.field(default_factory=TransferConfig)
    device: Device = "auto"
    """Where the policy's networks are differentiated: ``cpu``, ``cuda``, or ``auto``, a GPU if there is one
    and the networks are wide enough to gain from it."""

    @property
    def following(self) -> PPOConfig:
        """``ppo`` as it is while a learned reward is followed, and held to what was imitated."""
        ppo = dataclasses.replace(self.ppo, discount=min(self.ppo.discount, self.improve.max_discount))
        if not self.demonstrations.clone or ppo.reference_kl:
            return ppo
        return dataclasses.replace(ppo, reference_kl=self.demonstrations.hold, reference_share=1.0)


def resolve(task: Task, overrides: Mapping[str, Any]) -> RunConfig:
    """Return the defaults changed by the task's preset and then by ``overrides``.

    Raises:
        ConfigError: a setting does not exist or its value does not fit.
    """
    own = {"reward.use_endings": task.ends_early, **task.overrides}
    config = override(override(RunConfig(), own), overrides)
    rest, names = config.reward.rest, task.feature_names
    if rest and names and len(rest) != len(names):
        raise ConfigError(
            f"reward.rest has {len(rest)} numbers; an observation of {task.name} has {len(names)}: "
            f"{', '.join(names)}."
        )
    return config


def _require_at_least(least: int, config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not value >= least:  # so that NaN is refused too
            raise ValueError(f"{name} is {value}; it must be at least {least}.")
