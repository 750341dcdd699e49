"""Settings of the reward model and of its fit."""

import dataclasses
from typing import Any, Literal

SolvedClass = Literal["linear", "quadratic"]
ModelClass = Literal["linear", "quadratic", "mlp", "encoded"]
MODEL_CLASSES: tuple[ModelClass, ...] = ("linear", "quadratic", "mlp")
"""What ``auto`` chooses from, from the simplest to the most flexible."""
NETWORK_CLASSES: tuple[ModelClass, ...] = ("mlp", "encoded")
"""Those that are not solved for alone: a network adds to what is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """How the reward model looks and how it is fitted to answers."""

    num_members: int = 5
    """M, ensemble members. More give a smoother mean and a better spread, at proportional cost; 3 to 10."""
    bootstrap: bool = True
    """Whether each member learns from a draw of the answers of its own, so that members differ where answers
    are few and those left out say how good it is. Else all learn from all and only begin differently."""
    model_class: Literal["auto", "linear", "quadratic", "mlp", "encoded"] = "auto"
    """``linear``: a weighted sum of the features. ``quadratic``: also products of two features (of all, or
    of the 24 that differ most between segments). ``mlp``: the better of these plus a small network.
    ``encoded``: the same with a network that sees codes from which the motion can be foretold, learned from
    all behaviour without answers; no gain was measured. ``auto``: whichever of the first three predicts
    answers best that it has not seen."""
    selection_margin: float = 0.5
    """``auto`` prefers a simpler class if it is worse by no more than so many standard errors of the
    difference, answer by answer; 0 takes the best as it looks, 1 needs more answers to leave the linear
    class where the goal is not linear."""
    relevance_passes: int = 12
    """Passes at most in which each weight that is solved for learns how large it may be, so that the few
    features that matter are told from those that only go along with them; unseen answers choose how many, and
    whether that is better than one ridge for all. One for ten answers at most. 0: always the ridge."""
    reselect_growth: float = 0.25
    """The class and its penalty are chosen anew when there are more answers by this share than at the last
    choice; refits in between keep it and are several times faster."""
    hidden: tuple[int, ...] = (32, 32)
    """Widths of the hidden layers of ``mlp`` and ``encoded``."""
    use_actions: bool = False
    """Whether the reward may depend on the action itself. People judge what they see, which is motion."""
    use_endings: bool = False
    """Whether an episode's outcome is an input of its own, see ``RewardInputs``. On by itself where a task's
    episodes can end early: a landing, a fall, a goal that is reached."""
    use_changes: bool = True
    """Whether the reward may depend on the change of the observation over a step. Where velocities are
    observed it says little that is new, and each answer has as many more weights to settle."""
    rest: tuple[float, ...] = ()
    """What the absorbing state looks like, as one number per entry of an observation: being over is then
    worth what being in that state and staying there is. For tasks in which an episode ends because nothing
    more can come of it, such as a fall: what being over is worth beside going on decides whether a policy
    lets go, and answers say little about it. Empty: learned, from the outcomes (``use_endings``) or the last
    observation. Not with ``use_endings``."""
    solved_start: bool = True
    """Whether a network adds to a linear or quadratic reward that is solved for, exactly and at once; else it
    starts from nothing and learns all by descent, as is usual elsewhere."""
    noise: float = 0.1
    """Share of answers taken to be random. Keeps one wrong answer from bending the reward; 0 to 0.3.
    Source: https://arxiv.org/abs/1706.03741 sec. 2.2.3."""
    learning_rate: float = 3e-3
    """AdamW step size; 1e-3 to 5e-3. Like the other settings of the descent it concerns networks only,
    the other classes are solved for."""
    weight_decays: tuple[float, ...] = (0.1, 1.0)
    """AdamW's decoupled decays to choose from: per step the weights shrink by learning_rate * decay. More
    means a plainer reward; 0.01 to 3, and 10 already forgets what is not linear."""
    batch_size: int = 32
    """Answers per gradient step and member, fewer if there are few answers."""
    max_epochs: int = 40
    """Passes over the answers at most, starting from what was solved for."""
    patience: int = 10
    """Passes without a better likelihood of held-out answers after which no more are tried."""
    crops: bool = False
    """Train on random stretches of the segments. Harmful where one late event decides, and no gain was
    measured on top of ``steps_per_segment``, which blurs single steps already."""
    crop_fraction: tuple[float, ...] = (0.7, 0.9)
    """Shortest and longest stretch as a share of the segment."""
    steps_per_segment: int = 5
    """Steps of a stretch that one gradient step looks at, one drawn from each of so many equal parts
    (0: all). An unbiased estimate of the segment's return at a fraction of the cost."""
    pessimism: float = 0.0
    """kappa: how many ensemble standard deviations are taken off the reward; 0 to 1. More keeps the
    policy where the ensemble agrees."""
    clip: float = 5.0
    """Bound on the absolute normalised reward of a step."""
    ending_clip: float = 100.0
    """The same where an episode ends: an outcome may outweigh all that led to it."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.num_members < 1:
            raise ValueError(f"num_members is {self.num_members}; at least 1 is needed.")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden is {self.hidden}; give at least one layer of at least 1.")
        if not self.bootstrap and self.model_class not in NETWORK_CLASSES:
            raise ValueError(
                f"bootstrap is False and model_class {self.model_class!r}: members that are solved for would "
                f"all be one. Choose {' or '.join(NETWORK_CLASSES)}, or set bootstrap to True."
            )
        if self.rest and self.use_endings:
            raise ValueError("rest and use_endings are both set; an ending is either rest or an outcome.")
        if not 0.0 <= self.noise < 1.0:
            raise ValueError(f"noise is {self.noise}; it must lie in [0, 1).")
        if len(self.crop_fraction) != 2 or not 0.0 < self.crop_fraction[0] <= self.crop_fraction[1] <= 1.0:
            raise ValueError(f"crop_fraction is {self.crop_fraction}; give two rising shares in (0, 1].")
        if not self.weight_decays or min(self.weight_decays) < 0:
            raise ValueError(
                f"weight_decays is {self.weight_decays}; give one or more that are not negative."
            )
        for name in ("batch_size", "max_epochs", "patience", "learning_rate", "clip", "ending_clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0.")
        not_negative = ("steps_per_segment", "pessimism", "selection_margin", "reselect_growth")
        for name in (*not_negative, "relevance_passes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative.")

    def inputs(self) -> dict[str, Any]:
        """Return the settings that decide what a reward model sees."""
        return {name: getattr(self, name) for name in ("use_actions", "use_endings", "use_changes", "rest")}
