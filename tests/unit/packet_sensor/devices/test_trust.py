"""How far a device is to be trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.devices import CAMERA, CAMERA_IP, PHONE, PHONE_IP, arp, devices, event, flow, record
from sakimori_common.contracts import DAY, FieldValue
from sakimori_packet_sensor.domain.devices.trust import Known, TrustParameters, trust, with_quiet_days


@pytest.mark.parametrize(
    ("known", "score"),
    [
        (Known(type="camera"), 0.6),
        (Known(), 0.4),
        (Known(type="phone", is_random_mac=True), 0.55),
        (Known(type="camera", offered=("tcp/23",)), 0.35),
        (Known(type="camera", offered=("tcp/2222 telnet", "tcp/21 ftp")), 0.25),
        (Known(type="camera", offered=("tcp/22 ssh",)), 0.6),
        (Known(type="printer", counts={"default_community": 1}), 0.45),
        (Known(type="camera", counts={"unanswered": 29, "malformed": 4, "anomalies": 4}), 0.6),
        (Known(type="camera", counts={"unanswered": 30}), 0.3),
        (Known(counts={"unanswered": 99, "address_taken": 1, "plain_credentials": 3}), 0.0),
    ],
)
def test_what_a_device_does_decides(known: Known, score: float) -> None:
    assert trust(known).score == pytest.approx(score)


def test_quiet_days_raise_trust_up_to_a_limit_and_trouble_begins_them_anew() -> None:
    seen = trust(Known(type="camera"))
    assert with_quiet_days(seen, now=DAY - 1, first_seen=0, troubled_at=0).score == 0.6
    assert with_quiet_days(seen, now=4 * DAY, first_seen=0, troubled_at=0).score == 0.64
    assert with_quiet_days(seen, now=400 * DAY, first_seen=0, troubled_at=0).score == 0.8
    assert with_quiet_days(seen, now=400 * DAY, first_seen=0, troubled_at=399 * DAY).score == 0.61


def test_the_heaviest_reason_comes_first_and_parameters_weigh() -> None:
    known = Known(type="camera", offered=("tcp/23",), counts={"plain_credentials": 1})
    assert [reason.text for reason in trust(known).reasons] == [
        "it offers Telnet",
        "it sent credentials unencrypted",
        "it is known what it is",
    ]
    assert trust(known, TrustParameters(remote_shell=0.0, start=1.0)).score == 0.95


COUNTED = st.sampled_from(["unanswered", "malformed", "anomalies", "address_taken"])


@given(
    st.dictionaries(COUNTED, st.integers(0, 10**6)), st.sampled_from([(), ("tcp/23",), ("junk", "")]), st.floats(0, 1)
)
def test_a_score_is_between_nought_and_one(counts: dict[str, int], offered: tuple[str, ...], start: float) -> None:
    found = trust(Known(offered=offered, counts=counts), TrustParameters(start=start))
    assert 0 <= found.score <= 1


def test_the_sensor_sees_a_scan_and_a_password_in_the_clear() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, CAMERA_IP), arp(PHONE, PHONE_IP)])
    tries = [
        flow((PHONE, PHONE_IP, 40_000 + n), (CAMERA, CAMERA_IP, n), n, sakimori__flow__state="attempted")
        for n in range(1, 41)
    ]
    login = event("network.http", 50, source__mac=PHONE, source__ip=PHONE_IP, destination__mac=CAMERA,
                  destination__ip=CAMERA_IP, http__request__authentication__scheme="Basic")  # fmt: skip
    before = record(registry, PHONE).trust
    registry.observe([*tries, login])
    after = record(registry, PHONE)
    assert (before, after.trust) == (0.35, 0.1), "and it uses services of computers, so its kind is known"
    assert after.troubled_at == login.time


@pytest.mark.parametrize(
    ("dataset", "field"), [("network.telnet", "telnet__has_password"), ("network.ftp", "ftp__has_password")]
)
def test_a_password_typed_into_telnet_or_ftp_costs_trust_and_a_session_without_one_does_not(
    dataset: str, field: str
) -> None:
    registry = devices()
    ends: dict[str, FieldValue] = {
        "source__mac": PHONE,
        "source__ip": PHONE_IP,
        "destination__mac": CAMERA,
        "destination__ip": CAMERA_IP,
    }
    registry.observe([arp(CAMERA, CAMERA_IP), arp(PHONE, PHONE_IP), event(dataset, 1, **ends)])
    before = record(registry, PHONE).counts
    registry.observe([event(dataset, 2, **ends, **{field: True})])
    assert ("plain_credentials" in before, record(registry, PHONE).counts["plain_credentials"]) == (False, 1)
