"""Addresses that are locked out."""

import msgspec

from sakimori_api_gateway.domain.addresses import parse_networks
from sakimori_api_gateway.domain.blocklist import Blocklist
from sakimori_common.contracts import Decision, DecisionAction
from sakimori_common.instants import parse_instant

NOW = parse_instant("2026-01-16T02:00:00Z")
SECOND = 1_000_000
BLOCK = Decision(
    id="decision-1",
    entity_type="source.ip",
    entity="203.0.113.42",
    action=DecisionAction.BLOCK,
    rule_id="brute_force_attack",
    finding_id="finding-1",
    created_at="2026-01-16T02:00:00.000Z",
    expires_at="2026-01-16T02:10:00.000Z",
    origin="detector",
)


def changed(**changes: object) -> Decision:
    return msgspec.structs.replace(BLOCK, **changes)


def blocklist() -> Blocklist:
    return Blocklist(parse_networks("127.0.0.0/8,::1/128,192.0.2.0/24"))


def test_a_block_holds_until_it_expires() -> None:
    blocks = blocklist()
    blocks.hear(BLOCK, NOW)
    assert blocks.remaining_seconds("203.0.113.42", NOW) == 600
    assert blocks.remaining_seconds("203.0.113.42", NOW + 600 * SECOND - 1) == 1
    assert blocks.remaining_seconds("203.0.113.42", NOW + 600 * SECOND) is None
    assert blocks.remaining_seconds("203.0.113.43", NOW) is None


def test_a_decision_that_has_expired_lifts() -> None:
    blocks = blocklist()
    blocks.hear(BLOCK, NOW)
    blocks.hear(changed(id="lift", expires_at="2026-01-16T02:00:01.000Z"), NOW + 2 * SECOND)
    assert blocks.remaining_seconds("203.0.113.42", NOW + 2 * SECOND) is None


def test_a_shorter_block_does_not_shorten_a_longer_one() -> None:
    blocks = blocklist()
    blocks.hear(BLOCK, NOW)
    blocks.hear(changed(id="short", expires_at="2026-01-16T02:00:30.000Z"), NOW)
    assert blocks.remaining_seconds("203.0.113.42", NOW) == 600


def test_only_blocks_of_addresses_that_are_meant_are_enforced() -> None:
    blocks = blocklist()
    for decision in (
        changed(dry_run=True),
        changed(action=DecisionAction.THROTTLE),
        changed(entity_type="client.fingerprint"),
        changed(entity="not an address"),
    ):
        blocks.hear(decision, NOW)
    assert len(blocks) == 0


def test_networks_of_operators_are_never_locked_out() -> None:
    blocks = blocklist()
    for entity in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.200"):
        blocks.hear(changed(entity=entity), NOW)
        blocks.replace([changed(entity=entity)], NOW)
        assert blocks.remaining_seconds(entity, NOW) is None


def test_the_database_brings_what_was_missed_and_ends_what_was_lifted_meanwhile() -> None:
    blocks = blocklist()
    blocks.hear(BLOCK, NOW)
    missed = changed(id="decision-2", entity="203.0.113.43")
    blocks.replace([missed], read_at=NOW + 30 * SECOND)
    assert blocks.remaining_seconds("203.0.113.42", NOW + 30 * SECOND) is None
    assert blocks.remaining_seconds("203.0.113.43", NOW + 30 * SECOND) == 570


def test_what_was_heard_while_the_database_was_read_wins_over_what_was_read() -> None:
    blocks = blocklist()
    lifted = changed(id="old", entity="203.0.113.50")
    blocks.hear(lifted, NOW - 60 * SECOND)
    blocks.hear(BLOCK, NOW)
    blocks.hear(changed(id="lift", entity="203.0.113.50", expires_at="2026-01-16T02:00:00.000Z"), NOW)
    blocks.replace([lifted], read_at=NOW - 1)
    assert blocks.remaining_seconds("203.0.113.42", NOW) == 600
    assert blocks.remaining_seconds("203.0.113.50", NOW) is None


def test_addresses_are_compared_in_one_form() -> None:
    blocks = blocklist()
    blocks.hear(changed(entity="2001:0DB8:0::7"), NOW)
    assert blocks.remaining_seconds("2001:db8::7", NOW) == 600
