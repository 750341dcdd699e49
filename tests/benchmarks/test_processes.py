import argparse

import pytest

from rlhf.benchmarks.processes import add_seed_options, seed_range, seeds_as_typed
from rlhf.errors import ConfigError


def options(*typed: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_seed_options(parser, "her")
    return parser.parse_args(typed)


@pytest.mark.parametrize(
    "typed", ["--seeds 3", "--seeds 5 --first-seed 5", "--quick", "--quick --first-seed 7"]
)
def test_what_is_reported_gives_the_same_seeds_again(typed: str) -> None:
    chosen = options(*typed.split())
    assert seed_range(options(*seeds_as_typed(chosen).split())) == seed_range(chosen)


def test_seeds_follow_the_first_one() -> None:
    assert list(seed_range(options("--seeds", "3", "--first-seed", "5"))) == [5, 6, 7]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--seeds", "0"], "--seeds is 0"),
        (["--jobs", "0"], "--jobs 0"),
        (["--first-seed", "-1"], "--first-seed is -1"),
    ],
)
def test_what_gives_no_seeds_is_refused(typed: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        seed_range(options(*typed))
