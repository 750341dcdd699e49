"""Cross-validation folds of answers in which no segment is on both sides.

Folds are made of segments, not of answers: what a model remembers of a segment must not help it in the test.
Segments that answers connect go into one fold as long as they fit, so where every segment is asked about
once no answer is lost. Components alone would not do where segments are shared: in a chain of questions all
of them hang together. A component that is too large is therefore cut along a walk through it, which parts
few neighbours (one per cut in a chain), where a random assignment would part four answers in five. An answer
whose segments were parted is tested nowhere, and trains only where none of its segments is tested.
"""

import collections
import dataclasses

import numpy as np

from rlhf.reward.answer_model import rows
from rlhf.types.experience import Bool, Float32, Int64
from rlhf.types.feedback import PreferenceData


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folds:
    """N splits of A answers."""

    trains: Float32
    """(N, A), an answer's weight where it is trained on, else 0."""
    is_tested: Bool
    """(N, A)."""


def make_folds(data: PreferenceData, num_folds: int, repeats: int, rng: np.random.Generator) -> Folds:
    """Return ``repeats`` different partitions into ``num_folds`` folds each, N = repeats * num_folds."""
    first, second, answer = rows(data)
    trains, is_tested = [], []
    for _ in range(repeats):
        fold_of = _assign_segments(first, second, len(data.features), num_folds, rng)
        touches = np.zeros((num_folds, len(data)), np.bool_)
        touches[fold_of[first], answer] = True
        touches[fold_of[second], answer] = True
        is_whole = touches.sum(axis=0) == 1
        trains.append(~touches * data.weight_of)
        is_tested.append(touches & is_whole)
    return Folds(trains=np.concatenate(trains).astype(np.float32), is_tested=np.concatenate(is_tested))


def _assign_segments(
    first: Int64, second: Int64, num_segments: int, num_folds: int, rng: np.random.Generator
) -> Int64:
    """Return the fold (S,) of every segment."""
    degree = np.bincount(np.concatenate([first, second]), minlength=num_segments)
    share = degree.sum() / num_folds
    pieces: list[Int64] = []
    for walk in _walks(first, second, num_segments, rng):
        parts = max(1, round(float(degree[walk].sum() / share)))
        cuts = np.searchsorted(np.cumsum(degree[walk]), degree[walk].sum() * np.arange(1, parts) / parts)
        pieces += np.split(walk, cuts)
    sizes = np.array([degree[piece].sum() for piece in pieces])
    load = np.zeros(num_folds)
    fold_of = np.zeros(num_segments, np.int64)
    for index in np.argsort(-sizes, kind="stable"):
        fold = int(load.argmin())
        fold_of[pieces[index]] = fold
        load[fold] += sizes[index]
    return fold_of


def _walks(first: Int64, second: Int64, num_segments: int, rng: np.random.Generator) -> list[Int64]:
    """Return each connected component as a breadth-first walk, all in random order."""
    neighbours: list[list[int]] = [[] for _ in range(num_segments)]
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        neighbours[one].append(other)
        neighbours[other].append(one)
    is_seen = np.zeros(num_segments, np.bool_)
    walks: list[Int64] = []
    for start in rng.permutation(num_segments):
        if is_seen[start]:
            continue
        is_seen[start] = True
        walk, waiting = [], collections.deque([int(start)])
        while waiting:
            segment = waiting.popleft()
            walk.append(segment)
            for other in neighbours[segment]:
                if not is_seen[other]:
                    is_seen[other] = True
                    waiting.append(other)
        walks.append(np.array(walk, np.int64))
    return walks
