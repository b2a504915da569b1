"""One event as the tests of conditions see it."""

from collections.abc import Mapping
from typing import Final

from sakimori_detector.sigma.events import Event, FieldValue, elements, fold, key_of

Aliases = Mapping[str, tuple[str, ...]]
"""A field's other names, which are read in their order where the event does not have the field itself."""

_NO_ALIASES: Final[Aliases] = {}
_KEYWORD_GLUE: Final = "\n"


class View:
    """An event's values by field; each form that tests ask for is made once.

    `fields` are the event's own and the derived ones. For one event on one thread.
    """

    __slots__ = ("_aliases", "_event", "_folded", "_texts", "fields")

    def __init__(self, event: Event, fields: Mapping[str, FieldValue], aliases: Aliases = _NO_ALIASES) -> None:
        self._event = event
        self.fields = fields
        self._aliases = aliases
        self._texts: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}

    def value(self, field: str) -> FieldValue:
        """Read a field, the three of the envelope included; None when absent."""
        value = self.fields.get(field)
        if value is not None:
            return value
        for name in self._aliases.get(field, ()):
            value = self.fields.get(name)
            if value is not None:
                return value
        return self._event.get(field)

    def values(self, field: str) -> list[FieldValue]:
        """List the values of a field: a list has several, an absent field none."""
        return elements(self.value(field))

    def texts(self, field: str) -> list[str]:
        """List the values of a field as texts."""
        known = self._texts.get(field)
        if known is None:
            known = self._texts[field] = [key_of(value) for value in self.values(field)]
        return known

    def folded(self, field: str) -> list[str]:
        """List the values of a field as texts whose case is folded."""
        known = self._folded.get(field)
        if known is None:
            known = self._folded[field] = [fold(text) for text in self.texts(field)]
        return known

    def every_text(self) -> list[str]:
        """List the values of all fields as texts: what keywords are looked for in."""
        return [key_of(item) for value in self.fields.values() for item in elements(value)]

    def every_folded(self) -> list[str]:
        """List the values of all fields as texts whose case is folded."""
        return [fold(text) for text in self.every_text()]

    def everything(self) -> str:
        """Join the texts of all fields, each on a line of its own: what keywords are looked for in."""
        texts = (key_of(item) for value in self.fields.values() for item in elements(value))
        return _KEYWORD_GLUE.join(texts)
