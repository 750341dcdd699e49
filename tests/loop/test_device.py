import pytest
import torch

from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve
from rlhf.loop.device import choose_device

GPU = torch.cuda.is_available()


def test_small_networks_stay_on_the_processor() -> None:
    assert choose_device("auto", (64, 64)) == "cpu"


def test_wide_networks_take_a_gpu_if_there_is_one() -> None:
    assert choose_device("auto", (64, 2048)) == ("cuda" if GPU else "cpu")


def test_the_processor_can_be_insisted_on() -> None:
    assert choose_device("cpu", (2048,)) == "cpu"


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match="set it to 'auto' or 'cpu'"):
        choose_device("cuda", (64,))


@pytest.mark.skipif(not GPU, reason="there is no GPU")
def test_a_gpu_is_taken_for_small_networks_too_where_it_is_wanted() -> None:
    assert choose_device("cuda", (64,)) == "cuda"


def test_other_devices_are_refused() -> None:
    with pytest.raises(ConfigError, match="'auto', 'cpu', 'cuda'"):
        resolve(get_task("cartpole-balance"), {"device": "tpu"})
