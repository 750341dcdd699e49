"""Where networks are differentiated: the one place that looks for a GPU."""

from rlhf.errors import ConfigError
from rlhf.loop.config import Device
from rlhf.policy.minibatch import MAX_KERNEL_WIDTH


def choose_device(setting: Device, widths: tuple[int, ...]) -> str:
    """Return ``cpu`` or ``cuda`` for networks with hidden layers of these widths.

    ``auto`` takes a GPU for wide networks only: with small ones the way to it and back costs more than the
    arithmetic, and torch itself, which is not even loaded for them, more memory than everything else.

    Raises:
        ConfigError: ``cuda`` is wanted and torch finds none.
    """
    if setting == "cpu" or (setting == "auto" and max(widths) <= MAX_KERNEL_WIDTH):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if setting == "cuda":
        raise ConfigError(
            f"device is 'cuda', but torch {torch.__version__} finds no GPU here; set it to 'auto' or 'cpu', "
            "or install torch for the GPU's driver (https://pytorch.org/get-started)."
        )
    return "cpu"
