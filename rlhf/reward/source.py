"""The reward of another run, asked about this run's behaviour. No torch."""

import dataclasses

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import ConfigError
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import FLAGS
from rlhf.types.experience import Float32, Int64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Another run's reward, and where its features are found in this one."""

    model: RewardModel
    columns: Int64
    """(F of the source,), indices into this run's features; -1 where this run has no such feature, which the
    source then always sees at its mean."""

    def __post_init__(self) -> None:
        """Check the length."""
        check_shape("Source.columns", self.columns, (self.model.num_features,))

    def __call__(self, features: Float32) -> Float32:
        """Return the source's reward without bounds, (B,), for this run's raw features (B, F)."""
        rewards: Float32 = self.model.member_rewards(self.seen(features)).mean(axis=0)
        return rewards

    def seen(self, features: Float32) -> Float32:
        """Return this run's features (B, F) as the source knows them, (B, F of the source)."""
        return np.where(self.columns >= 0, features[:, self.columns], self.model.input_normaliser.mean)


def match_features(theirs: tuple[str, ...], ours: tuple[str, ...]) -> Int64:
    """Return ``Source.columns``: where each of the source's features is found here, by its name.

    Raises:
        ConfigError: nothing that is observed there is observed here too.
    """
    place = {name: index for index, name in enumerate(ours)}
    columns = np.array([place.get(name, -1) for name in theirs], np.int64)
    is_observed = np.array([name not in FLAGS for name in theirs])  # flags are shared by all tasks
    if not (columns[is_observed] >= 0).any():
        raise ConfigError(
            f"the source's reward looks at {', '.join(theirs[:3])}, ...; nothing of that is observed here, "
            f"but {', '.join(ours[:3])}, .... Choose a source whose observations have the same names."
        )
    return columns
