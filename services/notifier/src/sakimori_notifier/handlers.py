"""Findings in: decide who hears of them and put the notices into the outbox."""

from collections.abc import Callable, Sequence

from sakimori_common.bus import Message, Reject
from sakimori_common.contracts import FINDINGS, Finding, WireError
from sakimori_common.log import SecurityLogger
from sakimori_notifier.domain.routing import CHANNELS, Routes, channels_for, suppression_key
from sakimori_notifier.metrics import NotifierMetrics
from sakimori_notifier.ports import CHANNEL_HEADER, Notice, Outbox


class FindingsHandler:
    """Puts a notice per finding and channel into the outbox; returns once they are safe there."""

    def __init__(
        self,
        outbox: Outbox,
        routes: Routes,
        open_channels: Sequence[str],
        *,
        suppress_seconds: int,
        metrics: NotifierMetrics,
        wake_courier: Callable[[], None],
        streams: SecurityLogger,
    ) -> None:
        self._outbox = outbox
        self._routes = routes
        self._open = frozenset(open_channels)
        self._suppress_seconds = suppress_seconds
        self._metrics = metrics
        self._wake_courier = wake_courier
        self._streams = streams

    async def __call__(self, messages: Sequence[Message]) -> None:
        """Handle messages of `notifier.findings`. Raises Reject for a body that holds no findings."""
        notices = [notice for message in messages for notice in self._notices(message)]
        if not notices:
            return
        queued, suppressed = await self._outbox.add(notices, self._suppress_seconds)
        self._metrics.notices_total.labels("queued").inc(queued)
        self._metrics.notices_total.labels("suppressed").inc(suppressed)
        if queued:
            self._wake_courier()

    def _notices(self, message: Message) -> list[Notice]:
        try:
            findings: list[Finding] = FINDINGS.decode(message.body)
        except WireError as error:
            raise Reject(f"no batch of findings: {error}") from None
        only = message.headers.get(CHANNEL_HEADER)
        if only is not None:
            if only not in CHANNELS:
                raise Reject(f"{only!r} is no channel")
            return [Notice(finding, only, None) for finding in findings if only in self._open]
        for finding in findings:
            self._streams.log_alert(finding)
        return [
            Notice(finding, channel, suppression_key(finding, channel))
            for finding in findings
            for channel in channels_for(finding, self._routes)
            if channel in self._open
        ]
