import json
import math

import pytest

from rlhf.errors import ConfigError
from rlhf.types.design import Design, Potential, Term

DESIGN = Design(
    terms=(Term(feature="height", weight=1.5, sure=0.9), Term(feature="speed", weight=-0.25)),
    potential=Potential(feature="height", weight=2.0, target=1.25),
)


@pytest.mark.parametrize("design", [DESIGN, Design(terms=DESIGN.terms), Design()])
def test_a_design_comes_back_from_plain_data(design: Design) -> None:
    assert Design.from_dict(json.loads(json.dumps(design.to_dict()))) == design


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"weight": math.nan}, "weight of 'height' is nan"),
        ({"weight": 1e6}, "must lie between -100 and 100"),
        ({"sure": 0.0}, "must lie between 0.05 and 0.95"),
        ({"sure": 1.0}, "must lie between 0.05 and 0.95"),
        ({"sure": math.nan}, "must lie between 0.05 and 0.95"),
    ],
)
def test_a_term_out_of_range_is_refused(changes: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Term(**({"feature": "height", "weight": 1.0} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"weight": 0.0}, {"weight": math.inf}, {"target": math.nan}])
def test_a_potential_that_makes_no_sense_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="'height'"):
        Potential(**({"feature": "height", "weight": 1.0} | changes))  # type: ignore[arg-type]


def test_a_feature_has_one_term() -> None:
    with pytest.raises(ConfigError, match="'height' has two terms"):
        Design(terms=(Term(feature="height", weight=1.0), Term(feature="height", weight=2.0)))


def test_weights_that_are_all_zero_prefer_nothing() -> None:
    with pytest.raises(ConfigError, match="all weights are 0"):
        Design(terms=(Term(feature="height", weight=0.0),))
