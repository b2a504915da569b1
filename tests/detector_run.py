"""Rules over memory state, for tests of analytics: events in, findings out."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import detector_rules
from sakimori_common.contracts import Event
from sakimori_common.ids import event_id
from sakimori_common.instants import parse_instant
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.detection import Found, detect
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import load

S = 1_000_000
START = parse_instant("2026-01-16T03:00:00Z")


class Run:
    """An engine over memory state, fed event by event."""

    def __init__(self, *names: str, files: Mapping[str, str] | None = None) -> None:
        chosen = {path: text for path, text in detector_rules.ALL.items() if path.split("/")[1][:-4] in names}
        loaded = load({**chosen, **(files or {})}, detector_rules.LISTS, ZoneInfo("Asia/Tokyo"))
        assert loaded.problems == ()
        self.engine = Engine(loaded.rules, loaded.world)
        self.state = MemoryState()
        self.found: list[Found] = []
        self._number = 0

    async def feed(self, *events: Event) -> list[Found]:
        new = []
        for event in events:
            self._number += 1
            new += await detect(self.engine, self.state, str(self._number), [event], lambda event: event.time)
        self.found += new
        return new

    def measures(self) -> list[int | None]:
        """List what each finding and update asks for, in seconds: None for nothing, 0 for a lift."""
        return [None if (measure := found.measure) is None else measure.seconds for found in self.found]

    def opened(self, rule: str) -> list[Found]:
        return [found for found in self.found if found.finding.rule_id == rule and found.outcome.is_opened]


def event(dataset: str, seconds: float, **fields: Any) -> Event:
    time = START + round(seconds * S)
    names = {name.replace("__", "."): value for name, value in fields.items()}
    return Event(event_id(time, dataset, repr(names)), time, dataset, names)


def chat(
    seconds: float, user: str, action: str = "chat.message_posted", fingerprint: str = "fp", **fields: Any
) -> Event:
    dataset = "chat.message" if action.startswith("chat.") else "chat.security"
    return event(dataset, seconds, event__action=action, user__id=user, client__fingerprint=fingerprint, **fields)


def limited(seconds: float, user: str, fingerprint: str = "fp", **fields: Any) -> Event:
    return chat(seconds, user, "security.rate_limit_hit", fingerprint, **fields)
