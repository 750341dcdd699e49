"""Over how many processes a run's training is spread. Only its speed depends on this, no result does."""

from rlhf.loop.config import RunConfig
from rlhf.parallel import num_cores

MAX_PROCESSES = 4
"""More share less each, while this process still has to gather everything."""
MIN_STEPS = 100_000
"""In shorter runs starting a process (about a second of one core) costs more than it gains."""


def num_processes(config: RunConfig) -> int:
    """Return how many processes may work on a run, the one that asks included."""
    return min(num_cores(), MAX_PROCESSES) if config.schedule.total_steps >= MIN_STEPS else 1
