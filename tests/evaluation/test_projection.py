import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.evaluation.projection import Projection, fit_projection, name_axes


@pytest.fixture
def rows() -> np.ndarray:
    """A long direction along columns 0 and 1, a shorter one along column 2, a constant, noise."""
    rng = np.random.default_rng(0)
    long, short = rng.normal(size=(2, 400))
    columns = (10 * long + 3, 0.1 * long, short, np.full(400, 7.0), 0.3 * long + 0.1 * rng.normal(size=400))
    return np.stack(columns, axis=1).astype(np.float32)


def test_first_direction_is_the_one_that_most_columns_share(rows: np.ndarray) -> None:
    places = fit_projection(rows)(rows)
    assert np.corrcoef(places[:, 0], rows[:, 0])[0, 1] > 0.95
    assert abs(np.corrcoef(places[:, 1], rows[:, 0])[0, 1]) < 0.3


def test_a_place_does_not_depend_on_the_other_rows(rows: np.ndarray) -> None:
    projection = fit_projection(rows)
    np.testing.assert_array_equal(projection(rows[:5]), projection(rows)[:5])


def test_units_do_not_matter(rows: np.ndarray) -> None:
    other = rows * np.array([100, 1, 0.01, 1, 1], np.float32) + 4
    np.testing.assert_allclose(fit_projection(other)(other), fit_projection(rows)(rows), atol=2e-2)


def test_a_mirrored_sample_gives_no_mirrored_map(rows: np.ndarray) -> None:
    first, second = (fit_projection(part).axes for part in (rows[:200], rows[200:]))
    assert (np.sum(first * second, axis=0) > 0.5).all()


def test_shares_of_the_variance(rows: np.ndarray) -> None:
    explained = fit_projection(rows).explained
    assert 1 > explained[0] > explained[1] > 0
    assert explained.sum() < 1


def test_one_wild_row_does_not_squeeze_the_others(rows: np.ndarray) -> None:
    wild = rows.copy()
    wild[0] *= 1e6
    places = fit_projection(rows)(wild)
    assert np.abs(places[0]).max() < 12


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_too_little_for_a_plane_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match="plane"):
        fit_projection(np.ones(shape, np.float32))


def test_directions_are_named_by_the_columns_that_count_most() -> None:
    projection = Projection(
        mean=np.zeros(4, np.float32),
        sd=np.ones(4, np.float32),
        axes=np.array([[0.8, 0.1], [-0.55, 0.1], [0.2, 0.9], [0.1, 0.3]], np.float32),
        explained=np.array([0.5, 0.3], np.float32),
    )
    names = ("speed", "height", "angle", "time")
    assert name_axes(projection, names) == ("more speed, less height", "more angle")
