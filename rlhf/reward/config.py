"""Settings of the reward model and of its fit."""

import dataclasses
from typing import Literal

ModelClass = Literal["linear", "quadratic", "mlp"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """How the reward model looks and how it is fitted to comparisons."""

    num_members: int = 5
    """M, ensemble members. More give a smoother mean and a better spread, at proportional cost; 3 to 10."""
    model_class: ModelClass = "mlp"
    """``linear``: a weighted sum of the features. ``quadratic``: also every product of two features (at
    most 24 features). ``mlp``: a small network with a linear skip connection. Simpler classes need fewer
    answers if the goal fits them."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers of ``mlp``."""
    use_actions: bool = False
    """Whether the reward may depend on the action itself. People judge what they see, which is motion."""
    noise: float = 0.1
    """Share of answers taken to be random. Keeps one wrong answer from bending the reward; 0 to 0.3.
    Source: https://arxiv.org/abs/1706.03741 sec. 2.2.3."""
    learning_rate: float = 3e-3
    """AdamW step size; 1e-3 to 5e-3. Like the other settings of the descent it concerns ``mlp`` only, the
    other classes are solved for."""
    weight_decay: float = 1.0
    """AdamW's decoupled decay: per step the weights shrink by learning_rate * weight_decay. More means a
    plainer reward; 0.01 to 3, and 10 already forgets what is not linear."""
    batch_size: int = 32
    """Comparisons per gradient step and member."""
    max_epochs: int = 300
    """Passes over the answers at most; the out-of-bag answers nearly always end the fit earlier."""
    patience: int = 20
    """Epochs without a better out-of-bag likelihood before a member stops; it keeps its best weights."""
    early_epochs: int = 15
    """Epochs when there are fewer than 10 answers, too few to hold any out."""
    crops: bool = False
    """Train on random stretches of the segments. Harmful where one late event decides, and no gain was
    measured on top of ``steps_per_segment``, which blurs single steps already."""
    crop_fraction: tuple[float, ...] = (0.7, 0.9)
    """Shortest and longest stretch as a share of the segment."""
    steps_per_segment: int = 10
    """Steps of a stretch that one gradient step looks at, one drawn from each of so many equal parts
    (0: all). An unbiased estimate of the segment's return at a fraction of the cost."""
    warm_start: float = 0.0
    """Share of the previous version's weights in the initial ones, 0 to 1. Above 0 a fit is quicker to
    agree with its predecessor, but answers that are out of bag now were trained on before, so early
    stopping judges too kindly. The previous version's input scale is kept then."""
    pessimism: float = 0.0
    """kappa: how many ensemble standard deviations are taken off the reward; 0 to 1. More keeps the
    policy where the ensemble agrees."""
    clip: float = 5.0
    """Bound on the absolute normalised reward."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.num_members < 1:
            raise ValueError(f"num_members is {self.num_members}; at least 1 is needed.")
        if not 0.0 <= self.noise < 1.0:
            raise ValueError(f"noise is {self.noise}; it must lie in [0, 1).")
        if not 0.0 <= self.warm_start <= 1.0:
            raise ValueError(f"warm_start is {self.warm_start}; it must lie in [0, 1].")
        if len(self.crop_fraction) != 2 or not 0.0 < self.crop_fraction[0] <= self.crop_fraction[1] <= 1.0:
            raise ValueError(f"crop_fraction is {self.crop_fraction}; give two rising shares in (0, 1].")
        for name in ("batch_size", "max_epochs", "patience", "early_epochs", "learning_rate", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0.")
        for name in ("steps_per_segment", "weight_decay", "pessimism"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative.")
