"""Which setting to learn with, when the data are few and something learned elsewhere might help, or harm.

One object serves whatever is fitted. Where answers or episodes can be held out, settings are compared on the
same held-out units; where there is nothing to hold out, as when a policy practises, they race over paired
seeds. Settings come in order of preference, so that the first one, such as "ignore the source", stands unless
another is better by more than chance would have it. Pure numpy; knows nothing of what is fitted.

Sources: one standard error, https://doi.org/10.1201/9781315139470 ch. 3.4.3; halving,
https://arxiv.org/abs/1502.07943.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from rlhf.errors import ShapeError
from rlhf.types.experience import Float64

C = TypeVar("C")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """How a setting did on units that it was not fitted to."""

    loss: float
    """Mean over the units."""
    standard_error: float
    """Of ``loss``; NaN with a single unit."""
    excess: float
    """How much worse than the best setting."""
    excess_error: float
    """Standard error of ``excess``, from the differences unit by unit."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuned(Generic[C]):
    """What was chosen, and why."""

    choice: C
    index: int
    """Its place among the settings."""
    epochs: int
    """Passes after which it did best, counted as the losses are."""
    scores: tuple[Score, ...]
    """Of every setting; after a race of what was still in it at the end, others have an infinite loss."""
    losses: Float64
    """(C, A), the held-out losses of every setting after its own best number of passes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferTuner(Generic[C]):
    """Chooses one of several settings by what it does where it has not learned."""

    choices: tuple[C, ...]
    """Settings in order of preference: a later one has to be better than an earlier one."""
    margin: float = 1.0
    """By more than so many standard errors of the difference; 0 takes the best as it looks."""

    def by_held_out(self, losses: Sequence[Float64]) -> Tuned[C]:
        """Return the choice by cross-validation.

        All folds stop after the same number of passes: a stop of their own would be chosen by the very
        answers that it is judged by.

        Args:
            losses: of each of C settings, after every pass, of every held-out unit, (E, A); settings may have
                made different numbers of passes.

        Raises:
            ShapeError: there is not one array for every setting, or nothing was held out.
        """
        if len(losses) != len(self.choices) or not all(one.size for one in losses):
            raise ShapeError(
                f"there are losses of {len(losses)} settings; one array for each of {len(self.choices)} is "
                "needed, with at least one pass and one unit."
            )
        epochs = [int(one.mean(axis=1).argmin()) for one in losses]
        own = np.stack([one[epoch] for one, epoch in zip(losses, epochs, strict=True)])
        scores = scores_of(own)
        index = preferred(scores, self.margin)
        return Tuned(
            choice=self.choices[index],
            index=index,
            epochs=epochs[index],
            scores=scores,
            losses=own,
        )

    def by_race(
        self, loss: Callable[[C, int, int], float], seeds: Sequence[int], budgets: Sequence[int]
    ) -> Tuned[C]:
        """Return the choice by successive halving: all start, the better half goes on with a larger budget.

        Every setting meets the same seeds, and differences are taken seed by seed. The first setting stays to
        the end whatever happens, so that the last word is a comparison with it at the full budget: it is
        chosen unless the best one is better by more than the margin. With a single seed no margin is known.

        Args:
            loss: what a setting, a seed and a budget lead to; less is better.
            seeds: at least one; not those of a later evaluation.
            budgets: of each round; a round of the same budget would only bring the same again.

        Raises:
            ShapeError: there are no seeds or no budgets, or budgets do not rise.
        """
        if not len(seeds) or not len(budgets) or list(budgets) != sorted(set(budgets)):
            raise ShapeError(f"a race needs seeds and rising budgets; got {seeds} and {budgets}.")
        going = list(range(len(self.choices)))
        losses = np.full((len(self.choices), len(seeds)), np.inf)
        for round_, budget in enumerate(budgets):
            found = np.array([[loss(self.choices[one], seed, budget) for seed in seeds] for one in going])
            losses[:] = np.inf
            losses[going] = found
            if round_ < len(budgets) - 1:
                order = [going[place] for place in np.argsort(found.mean(axis=1), kind="stable")]
                kept = set(order[: math.ceil(len(going) / 2)]) | {0}
                going = [one for one in going if one in kept]
        scores = list(scores_of(losses[going]))
        out = Score(loss=math.inf, standard_error=math.nan, excess=math.inf, excess_error=math.nan)
        everyone = tuple(scores.pop(0) if one in going else out for one in range(len(self.choices)))
        # Beside the best alone: one in between, of a wide margin, might be no clear gain on the first.
        last = (0, min(going, key=lambda one: everyone[one].loss))
        index = last[preferred([everyone[one] for one in last], self.margin)]
        return Tuned(choice=self.choices[index], index=index, epochs=0, scores=everyone, losses=losses)


def scores_of(losses: Float64) -> tuple[Score, ...]:
    """Return the score of every setting from its losses unit by unit, (C, A)."""
    best = losses[int(losses.mean(axis=1).argmin())]
    return tuple(
        Score(
            loss=float(own.mean()),
            standard_error=_error(own),
            excess=float((own - best).mean()),
            excess_error=_error(own - best),
        )
        for own in losses
    )


def preferred(scores: Sequence[Score], margin: float) -> int:
    """Return the first setting within the margin of the best, or an earlier one that does no worse.

    Errors differ: a flexible setting may be within its wide margin where an earlier and better one is not.
    """
    good = [s for s in scores if s.excess <= 0 or s.excess <= margin * s.excess_error]
    return next(index for index, s in enumerate(scores) if s.loss <= good[0].loss)


def _error(values: Float64) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
