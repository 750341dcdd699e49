"""How well each class of reward foresees answers about a task: ``python -m rlhf.benchmarks.reward_accuracy``.

Behaviour is that of PPO while it learns the task's own reward, from first to last. An oracle compares random
segments of it; held out are answers about others. Prints the accuracy for every class. One thread.

On lunarlander-land (three seeds) ``encoded`` foresaw no more than ``mlp``, which needs less time: .787 and
.781 with 50 answers, .828 and .824 with 100. So ``auto`` does not try it.
"""

import argparse
import dataclasses
import time

import numpy as np
import torch

from rlhf.experience.segments import sample_segments
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import resolve
from rlhf.loop.train_on_true_reward import learn_true_reward
from rlhf.reward.config import MODEL_CLASSES, ModelClass, RewardConfig
from rlhf.reward.encoder import episode_sequences
from rlhf.reward.features import RewardInputs
from rlhf.reward.fit import accuracy, fit
from rlhf.seeding import generator
from rlhf.types.experience import Episode, Float32, Float64
from rlhf.types.feedback import PreferenceData

COLUMNS: tuple[ModelClass, ...] = (*MODEL_CLASSES, "encoded")
_EPISODES = 600
"""Evenly over the training."""
_TESTED = 1_000
"""Held-out answers."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Behaviour:
    """S segments of a task, and what the encoder learns from."""

    features: Float32
    """(S, L, F)."""
    returns: Float64
    """(S,), true."""
    sequences: Float32
    """(B, K, F)."""


def behaviour_of(task_name: str, steps: int, num_segments: int, seed: int) -> Behaviour:
    """Return segments of what PPO does in its first ``steps`` steps on the task's own reward."""
    task = get_task(task_name)
    inputs = RewardInputs(action_space=spaces_of(task)[1], use_endings=task.ends_early)
    episodes: list[Episode] = []
    truth: dict[int, Float64] = {}
    for turn in learn_true_reward(task, resolve(task, {"schedule.total_steps": steps}), seed):
        episodes += turn.collected.episodes
        pairs = zip(turn.collected.episodes, turn.collected.true_rewards, strict=True)
        truth |= {episode.reset_seed: rewards for episode, rewards in pairs}
    chosen = np.unique(np.linspace(0, len(episodes) - 1, _EPISODES).round().astype(int))
    episodes = [episodes[index] for index in chosen]
    rng = generator(seed, "segments")
    segments = sample_segments(episodes, num_segments, task.segment_steps, task.horizon, rng)
    return Behaviour(
        features=np.stack([inputs.segment(segment) for segment in segments]),
        returns=np.array(
            [
                truth[s.replay.reset_seed][s.replay.start : s.replay.start + s.num_real_steps].sum()
                for s in segments
            ]
        ),
        sequences=np.concatenate([episode_sequences(episode, inputs) for episode in episodes]),
    )


def held_out_accuracy(
    behaviour: Behaviour, name: ModelClass, num_answers: int, seed: int
) -> tuple[float, float]:
    """Return the accuracy on held-out answers of a reward that learned from others, and the fit's seconds."""
    order = np.random.default_rng([seed, num_answers]).permutation(len(behaviour.returns))
    tested, asked = order[: 2 * _TESTED], order[2 * _TESTED :][: 2 * num_answers]
    first, second = np.arange(num_answers), np.arange(num_answers, 2 * num_answers)
    returns, features = behaviour.returns[asked], behaviour.features[asked]
    data = PreferenceData(
        features=features,
        first=first,
        second=second,
        prob_first=(returns[first] > returns[second]).astype(np.float32),
        annotator=np.zeros(num_answers, np.int64),
    )
    reference = features.reshape(-1, features.shape[-1])
    config, rng = RewardConfig(model_class=name), np.random.default_rng(seed)
    started = time.process_time()
    model, _ = fit(data, reference, config, rng, sequences=behaviour.sequences)
    seconds = time.process_time() - started
    predicted = model.member_returns(behaviour.features[tested])
    probs = model.member_probs(predicted, first=np.arange(_TESTED), second=np.arange(_TESTED, 2 * _TESTED))
    true = behaviour.returns[tested]
    target = 0.5 * (1.0 + np.sign(true[:_TESTED] - true[_TESTED:])).astype(np.float32)
    return accuracy(probs.mean(axis=0), target), seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How well each class of reward foresees answers.")
    parser.add_argument("--task", default="lunarlander-land")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--answers", type=int, nargs="+", default=[50, 100, 350])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    behaviour = behaviour_of(options.task, options.steps, 2 * (_TESTED + max(options.answers)), 0)
    print("answers  " + "  ".join(f"{name:>9}" for name in COLUMNS) + "   processor seconds of each fit")
    for num_answers in options.answers:
        found = np.array(
            [
                [held_out_accuracy(behaviour, name, num_answers, seed) for name in COLUMNS]
                for seed in range(options.seeds)
            ]
        )
        shares = "  ".join(f"{share:9.3f}" for share in found[..., 0].mean(axis=0))
        print(f"{num_answers:7}  {shares}   " + " ".join(f"{s:.1f}" for s in found[..., 1].mean(axis=0)))


if __name__ == "__main__":
    main()
