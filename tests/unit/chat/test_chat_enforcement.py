import pytest

from sakimori_chat.domain.enforcement import DecisionError, Measure, measure_of
from sakimori_common.contracts import Decision, DecisionAction
from sakimori_common.instants import parse_instant

NOW = parse_instant("2026-01-16T02:00:10.000Z")


def _decision(
    entity_type: str = "client.fingerprint",
    entity: str = "00112233445566aa",
    *,
    action: DecisionAction = DecisionAction.BLOCK,
    created_at: str = "2026-01-16T02:00:00.000Z",
    expires_at: str = "2026-01-16T02:05:00.000Z",
    origin: str = "detector",
    dry_run: bool = False,
) -> Decision:
    return Decision(
        id="d-1",
        entity_type=entity_type,
        entity=entity,
        action=action,
        rule_id="chat_flood",
        finding_id="f-1",
        created_at=created_at,
        expires_at=expires_at,
        origin=origin,
        dry_run=dry_run,
    )


def test_a_block_lasts_for_what_is_left_of_it() -> None:
    measure = measure_of(_decision(), NOW)
    assert measure == Measure(
        "fp", "00112233445566aa", parse_instant("2026-01-16T02:00:00Z"), milliseconds=290_000, is_automatic=True
    )


def test_an_address_is_blocked_in_its_canonical_form() -> None:
    measure = measure_of(_decision("source.ip", "2001:DB8::0:1"), NOW)
    assert measure is not None
    assert (measure.kind, measure.entity) == ("ip", "2001:db8::1")


def test_an_expired_decision_lifts() -> None:
    measure = measure_of(_decision(expires_at="2026-01-16T02:00:09.000Z"), NOW)
    assert measure is not None
    assert measure.milliseconds == 0


def test_what_an_operator_decides_is_not_automatic() -> None:
    measure = measure_of(_decision(origin="mika"), NOW)
    assert measure is not None
    assert not measure.is_automatic


@pytest.mark.parametrize(
    "decision",
    [
        _decision(dry_run=True),
        _decision(action=DecisionAction.THROTTLE),
        _decision("device.mac", "02:00:5e:00:53:01"),
    ],
)
def test_what_is_not_the_chats_business_is_left_alone(decision: Decision) -> None:
    assert measure_of(decision, NOW) is None


@pytest.mark.parametrize(
    "decision",
    [
        _decision("source.ip", "not an address"),
        _decision("client.fingerprint", "a:b"),
        _decision("user.id", "fp:00112233445566aa"),
        _decision(expires_at="tomorrow"),
        _decision(created_at="2026-01-16T02:00:00"),
    ],
)
def test_nonsense_is_named(decision: Decision) -> None:
    with pytest.raises(DecisionError, match="decision d-1"):
        measure_of(decision, NOW)
