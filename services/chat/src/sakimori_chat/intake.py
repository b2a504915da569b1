"""The one way in for what people say: gate, room, text, checks, store; in this order, whatever it came by."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sakimori_chat.domain.checks import Check, Said, judge
from sakimori_chat.domain.messages import Draft
from sakimori_chat.domain.occurrences import Action, Origin, occurred
from sakimori_chat.domain.posting import Refusal, refusal_of_text, refusal_of_verdict
from sakimori_chat.domain.rooms import Reaction, Room
from sakimori_chat.domain.text import clean_name, clean_text
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Attempt, Gate, Reporter, Rooms
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import now_text


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody wants to say, as it came."""

    origin: Origin
    anon_id: str
    room: Room
    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """It was taken. To its author a muted or held message looks like any other."""

    number: int


class Intake:
    """Takes messages of people, from the page's form and from WebSockets."""

    def __init__(
        self,
        *,
        gate: Gate,
        rooms: Rooms,
        checks: Sequence[Check],
        reporter: Reporter,
        metrics: ChatMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gate = gate
        self._rooms = rooms
        self._checks = checks
        self._reporter = reporter
        self._metrics = metrics
        self._clock = clock

    async def post(self, submission: Submission) -> Posted | Refusal:
        """Take a message or say why not; either way what happened is reported. Raises StoreUnavailable."""
        outcome = await self._judged(submission)
        if isinstance(outcome, Refusal):
            self.refuse(submission.origin, outcome)
        return outcome

    def refuse(self, origin: Origin, refusal: Refusal) -> None:
        """Report a refusal: its events, and its count."""
        for action, details in refusal.reports:
            self._reporter.report(occurred(action, origin, details))
        self._metrics.posts_total.labels(refusal.code).inc()

    async def _judged(self, submission: Submission) -> Posted | Refusal:
        origin, room = submission.origin, submission.room
        text, name = clean_text(submission.text), clean_name(submission.name)
        attempt = Attempt(origin.client, submission.anon_id, room.name, room.policy.slow_seconds)
        admission = await self._gate.admit(attempt)
        refusal = refusal_of_verdict(admission.verdict) or refusal_of_text(text)
        if refusal is not None:
            return refusal
        said = Said(text, name, submission.anon_id, self._clock(), admission.recent)
        judgement = judge(said, room.policy, self._checks)
        draft = Draft(
            submission.anon_id,
            name,
            text,
            now_text(),
            is_private=admission.is_muted or judgement.reaction is Reaction.HOLD,
            fingerprint=origin.client.fingerprint,
        )
        number = await self._rooms.append(room.name, draft)
        details: dict[str, FieldValue] = {"chat.message.length": len(text), "chat.room": room.name}
        self._reporter.report(occurred(Action.MESSAGE_POSTED, origin, details))
        self._metrics.posts_total.labels("posted").inc()
        return Posted(number)
