"""Which class of reward model was chosen: the record that every version keeps. Choosing: ``selection``."""

import dataclasses

from rlhf.reward.config import ModelClass, SolvedClass
from rlhf.reward.linear import FALLBACK_RIDGE, FALLBACK_SOURCE_RIDGE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """What was chosen, and when."""

    model_class: ModelClass
    ridge: float
    """Penalty of the weights that are solved for."""
    base: SolvedClass = "linear"
    """What a network adds to."""
    weight_decay: float = 0.0
    """Of a network."""
    epochs: int = 0
    """Of a network; 0 adds nothing that was learned."""
    num_answers: int = 0
    """Answers there were; 0 for what was not chosen by them."""
    uses_source: bool = False
    """Whether it starts from a source's reward, see ``prior``; or ignores it, or there is none."""


def unchosen(name: ModelClass, *, uses_source: bool = False) -> Selection:
    """Return the selection of a class that no answers have spoken for.

    Args:
        name: the class.
        uses_source: whether there is a source's reward, from which it then departs only a little.
    """
    base: SolvedClass = "quadratic" if name == "quadratic" else "linear"
    ridge = FALLBACK_SOURCE_RIDGE if uses_source else FALLBACK_RIDGE
    return Selection(model_class=name, base=base, ridge=ridge, uses_source=uses_source)
