"""Which class of reward model was chosen: the record that every version keeps. Choosing: ``selection``."""

import dataclasses
from typing import Literal

from rlhf.reward.config import ModelClass, SolvedClass
from rlhf.reward.linear import FALLBACK_DESIGN_RIDGE, FALLBACK_RIDGE, FALLBACK_SOURCE_RIDGE

Start = Literal["nothing", "design", "named", "source"]
"""What a reward starts from: nothing is known, what a researcher wrote, no more of that than which features
matter, or another run's reward."""

FALLBACK_RIDGES: dict[Start, float] = {
    "nothing": FALLBACK_RIDGE,
    "design": FALLBACK_DESIGN_RIDGE,
    "named": FALLBACK_DESIGN_RIDGE,
    "source": FALLBACK_SOURCE_RIDGE,
}
"""Penalties where too few answers are there to choose one, and where weights begin to learn their own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """What was chosen, and when."""

    model_class: ModelClass
    ridge: float
    """Penalty of the weights that are solved for."""
    passes: int = 0
    """In which each weight, from that penalty on, learned its own, see ``relevance``."""
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
    uses_design: bool = False
    """The same of a design's weights; it starts from one of the two at most."""
    design: int = 0
    """Number of the design that there was, used or not; 0: none that says anything of weights."""

    @property
    def start(self) -> Start:
        """What it starts from."""
        if self.uses_source:
            return "source"
        return "design" if self.uses_design else "named" if self.design else "nothing"


def unchosen(name: ModelClass, *, start: Start = "nothing", design: int = 0) -> Selection:
    """Return the selection of a class that no answers have spoken for.

    Args:
        name: the class.
        start: what there is to start from; it then departs only a little from that.
        design: number of the design, if there is one.
    """
    base: SolvedClass = "quadratic" if name == "quadratic" else "linear"
    return Selection(
        model_class=name,
        base=base,
        ridge=FALLBACK_RIDGES[start],
        uses_source=start == "source",
        uses_design=start == "design",
        design=design,
    )
