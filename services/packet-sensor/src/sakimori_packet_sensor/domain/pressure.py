"""When to follow no new flows."""


class Pressure:
    """A fill level with two marks: high from `high` on, and until it is below `low` again."""

    def __init__(self, low: int, high: int) -> None:
        self._low = low
        self._high = high
        self.is_high = False

    def weigh(self, level: int) -> bool:
        """Take the level as it is now; tells whether `is_high` changed."""
        was_high = self.is_high
        self.is_high = level >= (self._low if was_high else self._high)
        return self.is_high != was_high
