"""Has a series become larger than it used to be? Cumulative sums, against its own recent past. Pure.

Source: E. S. Page, Continuous inspection schemes, https://doi.org/10.1093/biomet/41.1-2.100. Differs: level
and spread are not known beforehand but followed, slowly, and one reading alone cannot raise an alarm.
"""

import dataclasses

_RATE = 0.2
"""Weight of a new reading in level and spread."""
_ALLOWANCE = 1.0
"""Spreads above the level that count for nothing."""
_MOST = 4.0
"""Spreads that a single reading counts at most: a freak is not a change."""
_UNSURE = 5.0
"""Sum up to which a rise may well be chance, so that level and spread follow it."""
_LEAST_SPREAD = 0.7
"""Of a logarithm: that of an error that doubles or halves."""


@dataclasses.dataclass(kw_only=True)
class Cusum:
    """Watches a series of logarithms for a lasting rise.

    Args:
        limit: alarm above this sum.
        warm_up: readings that only say what is usual.
    """

    limit: float
    warm_up: int
    total: float = 0.0
    """The sum so far; 0 while nothing is unusual."""
    rising: int = 0
    """Readings since the sum last was 0: the change began so long ago, if it is one."""
    count: int = 0
    level: float = 0.0
    spread: float = 0.0

    def update(self, reading: float) -> bool:
        """Take in the next reading; return whether the sum has passed the limit."""
        self.count += 1
        if self.count == 1:
            self.level, self.spread = reading, _LEAST_SPREAD
        unit = max(self.spread, _LEAST_SPREAD)
        distance = (reading - self.level) / unit
        if self.count > self.warm_up:
            self.total = max(0.0, self.total + min(distance, _MOST) - _ALLOWANCE)
            self.rising = self.rising + 1 if self.total else 0
        if self.total <= _UNSURE:
            # Improvement is followed at once; what may be a change must not become the usual meanwhile.
            rate, moved = max(_RATE, 1.0 / self.count), max(-_MOST, min(distance, 1.0))
            self.spread += rate * (abs(moved) * unit - self.spread)
            self.level += rate * moved * unit
        return self.total > self.limit

    def restart(self) -> None:
        """Forget what was usual."""
        self.total, self.rising, self.count = 0.0, 0, 0
