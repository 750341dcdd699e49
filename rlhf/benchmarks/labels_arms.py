"""The ways of learning that ``labels`` compares, as data: dotted run settings by name.

Every arm runs in the same code with the same PPO, preset by preset, unless its settings say otherwise. What
an arm does not set it has in common with ``ours``: a new setting that makes ours better must be switched
off in the baselines here. Settings are checked when the benchmark starts.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task
from rlhf.loop.config import RunConfig, resolve

REFERENCE = "ppo"
"""PPO on the true reward: what every other arm's score is a share of. It asks nobody."""
OURS = "ours"
ABLATIONS = "ablations"
"""Stands for all arms that change one thing of ours."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """One way of learning from a given number of answers."""

    about: str
    """What it is, in a line."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Dotted run settings on top of the task's preset."""
    is_ablation: bool = False
    """Whether it is ours with one thing changed."""


_ONE_RIDGE: Mapping[str, Any] = {"reward.relevance_passes": 0}
"""All weights that are solved for are held alike."""
_PLAIN_NETWORK: Mapping[str, Any] = {
    "reward.model_class": "mlp",
    "reward.solved_start": False,
    "reward.use_endings": False,
    "reward.steps_per_segment": 0,
    **_ONE_RIDGE,
}
"""A network that learns everything by descent, from what is observed at every step."""
_BLIND_QUERIES: Mapping[str, Any] = {"queries.acquisition": "random", "queries.audit_share": 1.0}
"""Pairs drawn uniformly from recent behaviour; the audit is just such a draw."""
_PLAIN_CANDIDATES: Mapping[str, Any] = {
    "queries.audit_share": 0.0,
    "queries.new_versus_old_share": 0.0,
    "queries.look_alike_distance": 0.0,
    "queries.repeat_percentile": 0.0,
    "queries.tie_margin": 0.0,
    "gates.contest_share": 0.0,
    "gates.roll_back": False,
}
"""Candidates are taken by their score alone."""
_UNCHANGED_PPO: Mapping[str, Any] = {
    "improve.min_advantage_sd": 0.0,
    "improve.refit_critic": False,
}
"""A policy that takes no notice when the reward changes."""
_WHOLE_HISTORY: Mapping[str, Any] = {
    "collect.recent_episodes": 10,
    "collect.older_episodes": 400,
    "queries.recent_episodes": 1_000_000,
}
"""Queries from everything the policy ever did, of which a thinning sample of 400 episodes is kept."""

_PREFPPO: Mapping[str, Any] = {
    **_PLAIN_NETWORK,
    "reward.num_members": 3,
    "reward.bootstrap": False,
    "reward.hidden": (256, 256, 256),
    "reward.use_actions": True,
    "reward.noise": 0.0,
    "reward.learning_rate": 3e-4,
    "reward.weight_decays": (0.0,),
    "reward.batch_size": 128,
    "reward.max_epochs": 50,
    "reward.patience": 10,
    "queries.acquisition": "disagreement",
    "queries.candidates_per_query": 10,
    "collect.explore_steps": 0,
    "collect.novelty_steps": 32_000,
    "schedule.initial_share": 0.1,
    "schedule.initial_labels": 20,
    **_PLAIN_CANDIDATES,
    **_UNCHANGED_PPO,
    **_WHOLE_HISTORY,
}
"""B-Pref's PrefPPO (https://arxiv.org/abs/2111.03026, its train_PrefPPO.py and walker_walk scripts).

Reproduced: three members of three layers of 256 over observation and action, each fitted to all answers and
to every step; no noise floor and no weight decay; its policy seeks what is new for 32,000 steps first, by the
distance to the nearest neighbours, and goes on from there; a tenth of the answers in the first session;
disagreement among ten candidates per query, which come from the whole history with that phase in it; no
audit, no filter of ties or repeats; past rollouts are not relabelled and the critic is not refitted.

Not reproduced, all to its advantage: observations in the drifting units of a running normaliser, clips that
stay in old units, a reward that changes in the middle of a rollout, time limits taken for failures, a reward
that is not normalised, stopping at 97 % training accuracy (here by held-out answers). Networks are fitted
afresh in every session. Its bounded output has no counterpart, and one episode per environment of random
policies comes before all else, by which every arm's random return is measured.
"""

_PREFPPO_POLICY: Mapping[str, Any] = {
    "collect.num_envs": 32,
    "ppo.num_steps": 500,
    "ppo.num_epochs": 20,
    "ppo.minibatch_size": 64,
    "ppo.learning_rate": 5e-5,
    "ppo.final_learning_rate_factor": 1.0,
    "ppo.gae_lambda": 0.92,
    "ppo.clip_range": 0.2,
    "ppo.target_kl": None,
    "ppo.entropy_coef": 0.0,
    "ppo.hidden": (256, 256, 256),
}
"""Its PPO, tuned for four million steps. The clip range falls from .4 to 0 there and is the mean of it here;
state-dependent exploration has no counterpart."""

_CHRISTIANO: Mapping[str, Any] = {
    **_PLAIN_NETWORK,
    "reward.num_members": 3,
    "reward.hidden": (64, 64),
    "reward.use_actions": True,
    "reward.noise": 0.1,
    "queries.acquisition": "disagreement",
    "queries.candidates_per_query": 10,
    "schedule.initial_share": 0.25,
    "schedule.initial_labels": 20,
    "schedule.labels_end": 1.0,
    **_PLAIN_CANDIDATES,
    **_UNCHANGED_PPO,
}
"""Like https://arxiv.org/abs/1706.03741: three networks of two layers of 64 over observation and action, a
tenth of the answers taken for random, a quarter of them about the untrained policy, the rest at a falling
rate to the end, disagreement. Differs: our PPO in place of TRPO; held-out answers stop the fit instead of
tuning its decay."""


def _ablation(about: str, **groups: Mapping[str, Any]) -> Arm:
    settings = {
        f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()
    }
    return Arm(about=about, settings=settings, is_ablation=True)


ARMS: Mapping[str, Arm] = {
    OURS: Arm(about="the defaults"),
    "random-mlp": Arm(
        about="random queries, a network as the reward",
        settings={**_PLAIN_NETWORK, **_BLIND_QUERIES},
    ),
    "prefppo": Arm(about="PrefPPO's reward learning with our PPO", settings=_PREFPPO),
    "prefppo-own-ppo": Arm(
        about="PrefPPO's reward learning and its PPO", settings={**_PREFPPO, **_PREFPPO_POLICY}
    ),
    "christiano": Arm(about="like Christiano et al. 2017, with our PPO", settings=_CHRISTIANO),
    "linear": _ablation("always a linear reward", reward={"model_class": "linear"}),
    "quadratic": _ablation("always products of features too", reward={"model_class": "quadratic"}),
    "mlp": _ablation("always a network as the reward", reward={"model_class": "mlp"}),
    "encoded": _ablation("always a network that sees codes of the motion", reward={"model_class": "encoded"}),
    "one-ridge": Arm(about="one penalty for all weights", settings=_ONE_RIDGE, is_ablation=True),
    "network-from-nothing": _ablation(
        "a network that learns all by descent", reward={"model_class": "mlp", "solved_start": False}
    ),
    "no-endings": _ablation("outcomes are no input of their own", reward={"use_endings": False}),
    "few-endings": _ablation(
        "endings are asked about as often as they come by", queries={"endings_share": 0.0}
    ),
    "far-sighted": _ablation("the task's discount for learned rewards too", improve={"max_discount": 1.0}),
    "no-changes": _ablation("the reward sees states, not how they change", reward={"use_changes": False}),
    "with-actions": _ablation("the reward sees the action", reward={"use_actions": True}),
    "no-noise-floor": _ablation("every answer is believed", reward={"noise": 0.0}),
    "random-queries": _ablation(
        "pairs of recent behaviour at random", queries={"acquisition": "random", "audit_share": 1.0}
    ),
    "entropy": _ablation("the most uncertain answer", queries={"acquisition": "entropy"}),
    "bald": _ablation("the most informative answer", queries={"acquisition": "bald"}),
    "all-history": Arm(
        about="queries from everything it ever did", settings=_WHOLE_HISTORY, is_ablation=True
    ),
    "never-old": _ablation("new behaviour is not compared with old", queries={"new_versus_old_share": 0.0}),
    "no-audit": _ablation("no random queries", queries={"audit_share": 0.0}),
    "pessimistic": _ablation("half a standard deviation off the reward", reward={"pessimism": 0.5}),
    "one-member": _ablation("no ensemble", reward={"num_members": 1}),
    "crops": _ablation("fitted to stretches of clips", reward={"crops": True}),
    "all-steps": _ablation(
        "networks are fitted to every step of a clip, not to five", reward={"steps_per_segment": 0}
    ),
    "information-gain": _ablation(
        "the answer that tells most about the order of recent behaviour",
        queries={"acquisition": "information_gain"},
    ),
    "low-density": _ablation("some queries far from all that was asked", queries={"low_density_share": 0.15}),
    "clusters": _ablation("no more than 30 % of a batch of one kind", queries={"cluster_share": 0.3}),
    "chains": _ablation("every clip but the ends is shown twice", queries={"chain_length": 8}),
    "late-pessimism": _ablation("half a deviation off, late", improve={"late_pessimism": 0.5}),
    "explored": _ablation(
        "new states are sought before the first question", collect={"novelty_steps": 60_000}
    ),
    "curious": _ablation("a deviation added while there are questions", improve={"curiosity": 1.0}),
    "self-imitation": _ablation("the best remembered episodes are imitated", improve={"self_imitation": 0.5}),
    "careful": _ablation("small steps after a new reward", improve={"careful_updates": 2}),
    "no-relabel": _ablation("refit on the latest rollout only", improve={"relabel": False}),
    "stale-critic": _ablation("no refit of the critic", improve={"refit_critic": False}),
    "always-adopted": _ablation(
        "also a reward that hardly changed is adopted", improve={"same_reward_correlation": 1.0}
    ),
    "moving-entropy": _ablation(
        "a reward for spread while the reward moves", improve={"moving_entropy": 0.01}
    ),
    "no-contests": _ablation("no roll-back", gates={"contest_share": 0.0, "roll_back": False}),
    "full-advantage": _ablation("advantages always at full strength", improve={"min_advantage_sd": 0.0}),
    "initial-5": _ablation(
        "5 % of the answers before learning", schedule={"initial_share": 0.05, "initial_labels": 5}
    ),
    "initial-20": _ablation("20 answers before learning, not 40", schedule={"initial_labels": 20}),
    "initial-50": _ablation("half of the answers before learning", schedule={"initial_share": 0.5}),
    "even-labels": _ablation("answers evenly over the labelling time", schedule={"front_load": 0.0}),
    "labels-end-40": _ablation("all answers in 40 % of the steps", schedule={"labels_end": 0.4}),
    "labels-end-100": _ablation("answers until the end", schedule={"labels_end": 1.0}),
    "entropy-bonus": _ablation("a reward for spread", ppo={"entropy_coef": 0.01}),
}
"""By name; the order of tables."""


def is_same_as_ours(arm: str, task: str) -> bool:
    """Return whether an arm does on a task what ours does, by the task's preset: there is nothing to run."""
    ours, theirs = (_in_effect(resolve(get_task(task), ARMS[name].settings)) for name in (OURS, arm))
    return arm != OURS and theirs == ours


def _in_effect(config: RunConfig) -> RunConfig:
    """Return a configuration without what others of its settings make idle."""
    queries, improve = config.queries, config.improve
    if not config.reward.use_endings:
        queries = dataclasses.replace(queries, endings_share=0.0)
    spread = max(improve.moving_entropy, config.ppo.entropy_coef)
    return dataclasses.replace(
        config, queries=queries, improve=dataclasses.replace(improve, moving_entropy=spread)
    )


def chosen_arms(names: Sequence[str]) -> list[str]:
    """Return the names of arms, ``ablations`` replaced by all of them; the reference is left out.

    Raises:
        ConfigError: a name is unknown.
    """
    chosen: list[str] = []
    for name in names:
        if name == ABLATIONS:
            chosen += [arm for arm, known in ARMS.items() if known.is_ablation]
        elif name in ARMS:
            chosen.append(name)
        elif name != REFERENCE:
            allowed = ", ".join([REFERENCE, ABLATIONS, *ARMS])
            raise ConfigError(f"--arms: there is no {name!r}; allowed are {allowed}.")
    return list(dict.fromkeys(chosen))
