"""One seed per run, split into named streams that do not disturb each other."""

import zlib
from typing import Any

import numpy as np


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """Return the generator that belongs to ``path`` under ``seed``.

    The same arguments always give the same stream, and a stream does not change when others are added,
    so a new consumer of randomness leaves every old result as it was.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, *map(_word, path)]))


def episode_seed(seed: int, env_index: int, episode_index: int) -> int:
    """Return the reset seed (31 bits) of one episode of one environment under the run's seed."""
    words = np.random.SeedSequence([seed, _word("episode"), env_index, episode_index]).generate_state(1)
    return int(words[0] & 0x7FFFFFFF)


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the generator's state as JSON-serialisable data."""
    return dict(rng.bit_generator.state)


def restore_generator(rng: np.random.Generator, state: dict[str, Any]) -> None:
    """Put ``rng`` back into a state taken by ``generator_state``."""
    rng.bit_generator.state = state


def _word(part: str | int) -> int:
    return part if isinstance(part, int) else zlib.crc32(part.encode())
