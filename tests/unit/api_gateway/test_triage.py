"""The state machine of triage."""

import pytest

from sakimori_api_gateway.domain.triage import TriageConflict, check_transition
from sakimori_common.contracts import FindingStatus as S

FORWARD = [S.OPEN, S.ACKNOWLEDGED, S.INVESTIGATING, S.MITIGATED, S.RESOLVED]


@pytest.mark.parametrize(("current", "wanted"), [(a, b) for i, a in enumerate(FORWARD) for b in FORWARD[i + 1 :]])
def test_every_step_forward_is_allowed_also_when_it_skips_some(current: S, wanted: S) -> None:
    check_transition(current, wanted)


@pytest.mark.parametrize(("current", "wanted"), [(b, a) for i, a in enumerate(FORWARD) for b in FORWARD[i + 1 :]])
def test_no_step_goes_back(current: S, wanted: S) -> None:
    with pytest.raises(TriageConflict, match="cannot become"):
        check_transition(current, wanted)


@pytest.mark.parametrize("status", list(S))
def test_no_step_is_made_twice(status: S) -> None:
    with pytest.raises(TriageConflict, match="already"):
        check_transition(status, status)


@pytest.mark.parametrize("current", FORWARD)
def test_anything_may_turn_out_a_false_positive(current: S) -> None:
    check_transition(current, S.FALSE_POSITIVE)


@pytest.mark.parametrize("wanted", FORWARD)
def test_a_false_positive_stays_one(wanted: S) -> None:
    with pytest.raises(TriageConflict):
        check_transition(S.FALSE_POSITIVE, wanted)
