"""An encoder of steps that is trained to foresee what comes next, which takes no answers.

A small network maps a step's features to a few numbers from which the changes over the next step and the
next five can be read. What matters for the motion is then near the surface, where a reward that is learned
from few answers finds it.

Source: rewards on representations that know the dynamics, https://arxiv.org/abs/2402.17975. Differs: changes
are foreseen in the features' own units, by squared error, and the encoder is not trained on answers.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlhf.reward.features import RewardInputs
from rlhf.types.experience import Episode, Float32

AHEAD = (1, 5)
"""Steps ahead that are foreseen."""
MIN_SEQUENCES = 2_000
"""With fewer sequences there is no encoder."""
_HIDDEN = 64
_CODE = 32
_UPDATES = 1_000
_BATCH = 256
_LEARNING_RATE = 2e-3
_LEAST_SD = 1e-3
"""Changes that vary less are not blown up: nothing in them can be foreseen."""


class Encoder(nn.Module):
    """Normalised features (..., num_features) -> codes (..., num_codes) in (-1, 1)."""

    def __init__(self, num_features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.num_codes = _CODE
        self.first = _layer(num_features, _HIDDEN, generator)
        self.first_bias = nn.Parameter(torch.zeros(_HIDDEN))
        self.second = _layer(_HIDDEN, _CODE, generator)
        self.second_bias = nn.Parameter(torch.zeros(_CODE))

    def forward(self, features: Tensor) -> Tensor:
        """Return the codes."""
        hidden = F.silu(features @ self.first + self.first_bias)
        return torch.tanh(hidden @ self.second + self.second_bias)


def sequences_of(features: Float32) -> Float32:
    """Return the steps of one episode (T, F) with those that come ``AHEAD``: (B, 1 + len(AHEAD), F)."""
    count = max(0, len(features) - max(AHEAD))
    return np.stack([features[ahead : ahead + count] for ahead in (0, *AHEAD)], axis=1)


def episode_sequences(episode: Episode, inputs: RewardInputs) -> Float32:
    """Return ``sequences_of`` an episode's raw features, (B, 1 + len(AHEAD), F)."""
    return sequences_of(inputs.steps(episode.observations[:-1], episode.actions, episode.observations[1:]))


def train_encoder(sequences: Float32, generator: torch.Generator) -> Encoder:
    """Return an encoder whose codes foretell what follows, frozen.

    Args:
        sequences: normalised features from ``sequences_of``, (B, 1 + len(AHEAD), F).
        generator: draws the first weights and the batches.
    """
    steps = torch.from_numpy(sequences)
    now, changes = steps[:, 0], (steps[:, 1:] - steps[:, :1]).flatten(1)
    targets = (changes - changes.mean(dim=0)) / changes.std(dim=0).clamp_min(_LEAST_SD)
    encoder = Encoder(now.shape[-1], generator)
    reading = _layer(encoder.num_codes, targets.shape[-1], generator)
    optimizer = torch.optim.Adam([*encoder.parameters(), reading], lr=_LEARNING_RATE, fused=True)
    for _ in range(_UPDATES):
        rows = torch.randint(len(now), (_BATCH,), generator=generator)
        loss = F.mse_loss(encoder(now[rows]) @ reading, targets[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return encoder.requires_grad_(False)


def _layer(fan_in: int, fan_out: int, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn((fan_in, fan_out), generator=generator) / math.sqrt(fan_in))
