"""Adds what is known to events: no waiting, one look into a bounded memory for each address, agent and host."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from sakimori_collector.domain.enrichment.facts import NOTHING, AddressFacts, Facts, address_of, put
from sakimori_collector.domain.enrichment.networks import direction
from sakimori_collector.domain.enrichment.user_agents import CLASS
from sakimori_common.contracts import Event, FieldValue

_REMEMBERED: Final = 65_536
"""Addresses a side, the last ones: some 50 MB where all facts are there."""
_SHORT: Final = 64
"""Characters of texts that are looked up: no address is longer, and few host names."""

TextFacts = Callable[[str], Facts]


class Enrichment:
    """Enrich events by what is known of their addresses, their agent and their host.

    What is known may change: call `forget` after it did.
    """

    def __init__(
        self,
        addresses: Sequence[AddressFacts] = (),
        agents: TextFacts | None = None,
        hosts: TextFacts | None = None,
        macs: TextFacts | None = None,
    ) -> None:
        self._addresses = addresses
        self._agents = agents
        self._source = lru_cache(maxsize=_REMEMBERED)(lambda text: self._of_address("source", text))
        self._destination = lru_cache(maxsize=_REMEMBERED)(lambda text: self._of_address("destination", text))
        sides: dict[str, tuple[str, TextFacts | None]] = {
            "host.hostname": ("host", hosts),
            "source.mac": ("source", macs),
            "destination.mac": ("destination", macs),
        }
        self._texts = {name: (side, known) for name, (side, known) in sides.items() if known is not None}
        self._named = lru_cache(maxsize=_REMEMBERED // 8)(self._of_text)

    def change(self, events: Sequence[Event]) -> None:
        """Add what is known, in place."""
        for event in events:
            fields = event.fields
            if self._addresses:
                self._put_addresses(fields)
            if self._agents is not None:
                _put_agent(fields, self._agents)
            for name in self._texts:
                text = fields.get(name)
                if isinstance(text, str) and len(text) <= _SHORT and (facts := self._named(name, text)):
                    put(fields, facts)

    def forget(self) -> None:
        """Look everything up anew: what is known has changed."""
        self._source.cache_clear()
        self._destination.cache_clear()
        self._named.cache_clear()

    def _put_addresses(self, fields: dict[str, FieldValue]) -> None:
        source, destination = fields.get("source.ip"), fields.get("destination.ip")
        if source.__class__ is str and len(source) <= _SHORT:
            put(fields, self._source(source))
        if destination.__class__ is str and len(destination) <= _SHORT:
            put(fields, self._destination(destination))
            one, other = fields.get("sakimori.known.source.network"), fields.get("sakimori.known.destination.network")
            if one is not None and other is not None:
                fields.setdefault("network.direction", direction(one, other))

    def _of_address(self, side: str, text: str) -> Facts:
        address = address_of(text)
        if address is None:
            return NOTHING
        found: dict[str, FieldValue] = {}
        for facts in self._addresses:
            found.update(_with_side(facts(address), side))
        return found

    def _of_text(self, name: str, text: str) -> Facts:
        side, known = self._texts[name]
        return _with_side(known(text), side)


def _put_agent(fields: dict[str, FieldValue], agents: TextFacts) -> None:
    """A request without an agent has one that is empty; what is no request has none."""
    agent = fields.get("user_agent.original")
    if isinstance(agent, str):
        put(fields, agents(agent))
    elif agent is None and "http.request.method" in fields:
        fields[CLASS] = "empty"


def _with_side(facts: Mapping[str, FieldValue], side: str) -> Facts:
    return {name.replace("{side}", side): value for name, value in facts.items()}
