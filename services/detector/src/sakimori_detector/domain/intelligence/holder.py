"""What is known at the moment, for everybody who asks; exchanged while the engine runs."""

from sakimori_detector.domain.intelligence.table import Table


class Intelligence:
    """Holds the table of all feeds. Rules read it once a batch, so a new one takes effect with the next batch.

    It outlives the engine: neither do new indicators rebuild the rules, nor new rules the indicators.
    """

    __slots__ = ("table",)

    def __init__(self, table: Table | None = None) -> None:
        self.table = table or Table()
