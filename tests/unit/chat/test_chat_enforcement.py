import pytest

from sakimori_chat.domain.enforcement import DecisionError, Disregard, Measure, measure_of
from sakimori_chat.domain.identity import parse_networks
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
    measure = measure_of(_decision("source.ip", "::ffff:203.0.113.7"), NOW)
    assert isinstance(measure, Measure)
    assert (measure.kind, measure.entity) == ("ip", "203.0.113.7")


def test_of_an_ipv6_address_the_network_of_its_subscriber_is_blocked() -> None:
    measure = measure_of(_decision("source.ip", "2001:DB8:1:2::5"), NOW)
    assert isinstance(measure, Measure)
    assert (measure.kind, measure.entity) == ("ip", "2001:db8:1:2::/64")


def test_an_expired_decision_lifts() -> None:
    measure = measure_of(_decision(expires_at="2026-01-16T02:00:09.000Z"), NOW)
    assert isinstance(measure, Measure)
    assert measure.milliseconds == 0


def test_what_an_operator_decides_is_not_automatic() -> None:
    measure = measure_of(_decision(origin="mika"), NOW)
    assert isinstance(measure, Measure)
    assert not measure.is_automatic


@pytest.mark.parametrize(
    "decision",
    [
        _decision(dry_run=True),
        _decision("device.mac", "02:00:5e:00:53:01"),
        _decision("device.mac", "02:00:5e:00:53:01", action=DecisionAction.CHALLENGE),
    ],
)
def test_what_is_not_the_chats_business_is_left_alone(decision: Decision) -> None:
    assert measure_of(decision, NOW) is Disregard.IGNORED


def test_a_throttle_is_a_measure_of_its_own() -> None:
    measure = measure_of(_decision(action=DecisionAction.THROTTLE), NOW)
    assert isinstance(measure, Measure)
    assert measure.is_throttle
    assert measure.milliseconds == 290_000


def test_a_challenge_is_nothing_that_the_chat_can_do() -> None:
    assert measure_of(_decision(action=DecisionAction.CHALLENGE), NOW) is Disregard.UNSUPPORTED


@pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:0:1::9"])
def test_who_is_on_the_allow_list_is_not_blocked(address: str) -> None:
    allowed = parse_networks("192.0.2.0/24,2001:db8::/48")
    assert measure_of(_decision("source.ip", address), NOW, allowed) is Disregard.EXEMPT
    assert isinstance(measure_of(_decision("source.ip", "203.0.113.7"), NOW, allowed), Measure)


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
