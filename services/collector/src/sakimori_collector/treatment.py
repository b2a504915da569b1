"""Builds what is done to every event before anybody else sees it: drop, mask, enrich, replace by pseudonyms.

In this order: what is dropped costs nothing more; enrichment adds nothing that is masked; and what is known of an
address is added before the address itself gives way to a pseudonym.
"""

from collections.abc import Callable, Sequence

from sakimori_collector.domain.filters import parse_filter
from sakimori_collector.domain.privacy import Masker
from sakimori_collector.domain.privacy.pseudonyms import Pseudonyms
from sakimori_collector.intake import Treatment
from sakimori_collector.settings import CollectorSettings, listed
from sakimori_common.contracts import Event

Change = Callable[[Sequence[Event]], None]


def treatment_of(settings: CollectorSettings, *enrichments: Change) -> Treatment:
    """Build the treatment that the settings ask for."""
    wanted = parse_filter(settings.drop)
    changes = [*_masking(settings), *enrichments, *_pseudonyms(settings)]
    return Treatment(drops=wanted.drops if wanted.rules else None, change=_one_after_another(changes))


def _masking(settings: CollectorSettings) -> list[Change]:
    if settings.mask.strip() == "none":
        return []
    return [Masker(listed(settings.mask), listed(settings.subject_fields)).change]


def _pseudonyms(settings: CollectorSettings) -> list[Change]:
    fields = listed(settings.hashed_fields)
    return [Pseudonyms(settings.privacy_key.get_secret_value(), fields).change] if fields else []


def _one_after_another(changes: Sequence[Change]) -> Change:
    def _change(events: Sequence[Event]) -> None:
        for change in changes:
            change(events)

    return _change
