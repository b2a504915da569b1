"""The state machine of triage (X-04)."""

from sakimori_common.contracts import FindingStatus

_FORWARD = [
    FindingStatus.OPEN,
    FindingStatus.ACKNOWLEDGED,
    FindingStatus.INVESTIGATING,
    FindingStatus.MITIGATED,
    FindingStatus.RESOLVED,
]


class TriageConflict(Exception):
    """The finding cannot go from where it stands to where it is wanted; the message says so."""


def check_transition(current: FindingStatus, wanted: FindingStatus) -> None:
    """Raise TriageConflict unless `wanted` lies ahead: steps may be skipped, none goes back, none is made twice.

    `false_positive` can be reached from any other state and is final.
    """
    if current is wanted:
        raise TriageConflict(f"the finding is already {_words(current)}")
    if wanted is FindingStatus.FALSE_POSITIVE:
        return
    if current is FindingStatus.FALSE_POSITIVE or _FORWARD.index(wanted) < _FORWARD.index(current):
        raise TriageConflict(f"a finding that is {_words(current)} cannot become {_words(wanted)}")


def _words(status: FindingStatus) -> str:
    return status.value.replace("_", " ")
