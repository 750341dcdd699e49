"""The reward model of one version: frozen networks with their scales; numpy in, numpy out, no torch.

Knows nothing of how it was fitted. Two scales are kept apart on purpose: rewards per step are normalised
for the policy (mean 0, standard deviation 1 over reference transitions), segment returns are logits, so
that differences of returns are what the fit turned into probabilities.
"""

import dataclasses
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_shape
from rlhf.config import from_dict, to_dict
from rlhf.errors import CheckpointError, ConfigError
from rlhf.reward.answer_model import AnswerModel
from rlhf.reward.chosen import Selection, unchosen
from rlhf.reward.config import RewardConfig
from rlhf.reward.frozen import PRODUCT_SCALE, FrozenNetwork
from rlhf.reward.normalise import InputNormaliser, OutputNormaliser, combine_members
from rlhf.reward.shaping import Shaping
from rlhf.types.experience import Float32, Int64

FORMAT_VERSION = 2
_ROWS_AT_ONCE = 4096
"""Transitions per forward pass: the hidden layers of all members then stay in the processor's cache."""
_META = "meta"
_NETWORK = "network."


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardModel:
    """An ensemble that gives transitions a reward and pairs of segments a probability."""

    version: int
    """Counts the fits of a run, from 1."""
    config: RewardConfig
    network: FrozenNetwork
    gain: Float32
    """(M,): a segment's return in logits is ``gain`` times the mean output over its steps."""
    input_normaliser: InputNormaliser
    output_normaliser: OutputNormaliser
    answer_model: AnswerModel
    """Of the people whose answers it learned from."""
    selection: Selection
    """Its class and penalty."""
    shaping: Shaping | None = None
    """What a policy gets on top of the rewards, to find its way; no part of them."""

    @property
    def num_features(self) -> int:
        """F, the feature columns it wants."""
        return len(self.input_normaliser.mean)

    def rewards(self, features: Float32) -> tuple[Float32, Float32]:
        """Return (reward, ensemble standard deviation), each float32 (B,), for raw features (B, F).

        The reward is what the policy should be trained on: the mean of the normalised members less
        ``pessimism`` standard deviations, clipped.
        """
        config = self.config
        clip = np.full(len(features), config.clip, np.float32)
        if config.use_endings:  # the last column says whether the episode ends
            clip[features[:, -1] > 0] = config.ending_clip
        return combine_members(self.member_rewards(features), pessimism=config.pessimism, clip=clip)

    def member_rewards(self, features: Float32) -> Float32:
        """Return every member's normalised reward, float32 (M, B), for raw features (B, F)."""
        return self.output_normaliser(self._outputs(features))

    def member_returns(self, segment_features: Float32) -> Float32:
        """Return every member's segment returns in logits, float32 (M, S), for raw features (S, L, F).

        Returns are means over the steps times ``gain``, so segments of any length share one scale.
        """
        check_shape("segment_features", segment_features, (None, None, self.num_features))
        segments, steps, _ = segment_features.shape
        outputs = self._outputs(segment_features.reshape(segments * steps, self.num_features))
        means = outputs.reshape(len(outputs), segments, steps).mean(axis=-1)
        return np.asarray(self.gain[:, None] * means, dtype=np.float32)

    def member_probs(self, member_returns: Float32, first: Int64, second: Int64) -> Float32:
        """Return every member's P(first preferred) by an ordinary annotator, a tie counting half, (M, B).

        Args:
            member_returns: from ``member_returns``, (M, S).
            first: indices into S of the segments shown left, (B,).
            second: indices into S of the segments shown right, (B,).
        """
        differences = (member_returns[:, first] - member_returns[:, second]).astype(np.float64)
        return self.answer_model.prob_first(differences).astype(np.float32)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the model as named arrays (``meta`` is UTF-8 JSON as bytes); inverse of ``from_arrays``."""
        meta = {
            "format_version": FORMAT_VERSION,
            "version": self.version,
            "config": to_dict(self.config),
            "answer_model": self.answer_model.to_dict(),
            "selection": dataclasses.asdict(self.selection),
            "shaping": None if self.shaping is None else dataclasses.asdict(self.shaping),
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            _META: np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8).copy(),
            "gain": self.gain,
            "input_mean": self.input_normaliser.mean,
            "input_sd": self.input_normaliser.sd,
            "output_mean": self.output_normaliser.mean,
            "output_sd": self.output_normaliser.sd,
        }
        return arrays | {_NETWORK + name: array for name, array in self.network.to_arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> "RewardModel":
        """Rebuild a model from ``to_arrays``.

        Raises:
            CheckpointError: arrays are missing, do not fit, or are of an unknown format.
        """
        try:
            meta = json.loads(arrays[_META].tobytes())
            if meta["format_version"] == 1:
                meta, arrays = _from_format_1(meta, arrays)
            if meta["format_version"] != FORMAT_VERSION:
                raise CheckpointError(
                    f"reward model of format {meta['format_version']}; this program reads up to "
                    f"{FORMAT_VERSION}."
                )
            network = FrozenNetwork.from_arrays(
                {
                    name.removeprefix(_NETWORK): array
                    for name, array in arrays.items()
                    if name.startswith(_NETWORK)
                }
            )
            check_shape("input_mean", arrays["input_mean"], (network.num_features,))
            check_shape("gain", arrays["gain"], (network.num_members,))
            return cls(
                version=int(meta["version"]),
                config=from_dict(RewardConfig, meta["config"]),
                network=network,
                gain=arrays["gain"],
                input_normaliser=InputNormaliser(mean=arrays["input_mean"], sd=arrays["input_sd"]),
                output_normaliser=OutputNormaliser(mean=arrays["output_mean"], sd=arrays["output_sd"]),
                answer_model=AnswerModel.from_dict(meta["answer_model"]),
                selection=Selection(**meta["selection"]),
                shaping=Shaping(**shaping) if (shaping := meta.get("shaping")) else None,
            )
        except (KeyError, TypeError, ValueError, IndexError, ConfigError) as error:
            raise CheckpointError(f"the stored reward model is damaged or incomplete: {error}") from error

    def _outputs(self, features: Float32) -> Float32:
        """Return the raw outputs (M, B) for raw features (B, F)."""
        check_shape("features", features, (None, self.num_features))
        blocks = [
            self.network(self.input_normaliser(features[start : start + _ROWS_AT_ONCE]))
            for start in range(0, max(1, len(features)), _ROWS_AT_ONCE)
        ]
        return np.concatenate(blocks, axis=1)


def _from_format_1(
    meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return a model of format 1 as one of format 2.

    It had one class for all, products of all features, and one annotator; the settings of its fit that are
    gone do not matter to a model that is fitted.
    """
    known = {field.name for field in dataclasses.fields(RewardConfig)}
    old = meta["config"]
    num_features = len(arrays["input_mean"])
    num_columns = num_features if old["model_class"] == "quadratic" else 0
    skip = arrays[_NETWORK + "skip"].copy()
    skip[:, num_features:] /= PRODUCT_SCALE  # products were not scaled
    answer_model = AnswerModel(noise=old["noise"], rationality=np.ones(1), side_bias=np.zeros(1))
    return {
        "format_version": 2,
        "version": meta["version"],
        "config": {name: value for name, value in old.items() if name in known},
        "answer_model": answer_model.to_dict(),
        "selection": dataclasses.asdict(unchosen(old["model_class"])),
    }, arrays | {_NETWORK + "skip": skip, _NETWORK + "columns": np.arange(num_columns, dtype=np.int64)}
