"""From packets to what was said: order, gaps, recognition, bounds. One small protocol stands for all (packets.tiny)."""

import io
from collections.abc import Sequence

from packets.blocks import block_of, ethernet
from packets.frames import CLIENT, START, datagram, datagram_reply, pcap_file, reply, segment
from packets.tiny import ONCE, RESUMING, TinyDecoder, sense, texts, tiny
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.protocols.contract import TCP, UDP, Ends, Message, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.registry import Registry
from sakimori_packet_sensor.domain.sensor import Sensor

OPEN = [segment("S", 4000, seq=99), reply("SA", 4000, seq=499), segment("A", 4000, seq=100)]
END = "(the end)"
SECOND = 1_000_000


def client(at: int, load: bytes) -> bytes:
    """A segment of the client whose first byte has place `at` in its stream."""
    return segment("PA", 4000, seq=100 + at, load=load)


def server(at: int, load: bytes) -> bytes:
    return reply("PA", 4000, seq=500 + at, load=load)


def test_what_is_spread_over_segments_is_read_as_one() -> None:
    assert texts([*OPEN, client(0, b"say he"), client(6, b"llo\nsay"), client(13, b" you\n")]) == ["hello", "you", END]


def test_segments_that_overtake_one_another_are_put_in_order() -> None:
    frames = [*OPEN, client(6, b"b\n"), client(8, b"say c\n"), client(0, b"say a "), client(14, b"say d\n")]
    assert texts(frames) == ["a b", "c", "d", END]


def test_what_is_sent_again_is_read_once() -> None:
    frames = [*OPEN, client(0, b"say a\n"), client(0, b"say a\n"), client(6, b"say b\n"), client(0, b"say a\nsay b\n")]
    assert texts(frames) == ["a", "b", END]


def test_a_segment_that_brings_old_and_new_bytes_is_read_from_the_new() -> None:
    assert texts([*OPEN, client(0, b"say a\nsa"), client(6, b"say b\n")]) == ["a", "b", END]


def test_of_two_segments_that_disagree_the_first_wins_and_it_is_an_anomaly() -> None:
    frames = [*OPEN, client(6, b"say b\n"), client(6, b"say X\n"), client(0, b"say a\n"), client(0, b"say Y\n")]
    assert texts(frames) == ["a", "b", END]
    events, counts = sense(frames)
    [first, *_] = [event.fields for event in events if event.dataset == "network.anomaly"]
    assert (first["sakimori.anomaly.reason"], first["source.ip"]) == ("tcp_overlap", CLIENT)
    assert counts.anomalies == {"tcp_overlap": 2}


def test_a_keep_alive_is_no_disagreement() -> None:
    _, counts = sense([*OPEN, client(0, b"say a\n"), client(5, b"\0"), client(6, b"say b\n")])
    assert counts.anomalies == {}


def test_sequence_numbers_come_round() -> None:
    last = (1 << 32) - 4
    frames = [
        segment("S", 4000, seq=last),
        segment("PA", 4000, seq=3, load=b"\nsay b\n"),
        segment("PA", 4000, seq=last + 1, load=b"say a "),
    ]
    assert texts(frames) == ["a ", "b", END]


def test_a_conversation_that_is_met_in_its_middle_is_recognised_when_a_message_begins() -> None:
    assert texts([client(700, b"of it\n"), client(706, b"say a\n"), client(712, b"say b\n")]) == ["a", "b", END]


def test_behind_a_gap_a_protocol_that_cannot_resume_ends() -> None:
    frames = [*OPEN, client(0, b"say a\n"), client(50, b"say c\n"), *[server(0, b"say s\n")]]
    assert texts(frames) == ["a", "s", END]
    late = [*OPEN, client(0, b"say a\n"), client(50, b"say c\n"), client(56, b"say d\n"), client(62, b"say e\n")]
    assert texts(late, every=3 * SECOND) == ["a", END]


def test_behind_a_gap_a_protocol_that_can_resume_goes_on_with_a_new_decoder() -> None:
    frames = [*OPEN, client(0, b"say a\n"), client(50, b"rest\n"), client(55, b"say c\n"), client(61, b"say d\n")]
    assert texts(frames, RESUMING) == ["a", END, "c", "d", END]


def test_a_gap_is_waited_for_no_longer_than_two_seconds() -> None:
    frames = [*OPEN, client(0, b"say a\n"), client(12, b"say c\n"), client(18, b"say d\n"), client(24, b"say e\n")]
    patient = texts([*frames, client(6, b"say b\n")], RESUMING, every=100_000)
    assert patient == ["a", "b", "c", "d", "e", END]
    assert texts([*frames, client(6, b"say b\n")], RESUMING, every=1_100_000) == ["a", END, "c", "d", "e", END]


def test_a_gap_holds_back_a_bounded_number_of_segments() -> None:
    behind = [client(12 + 6 * number, b"say x\n") for number in range(40)]
    assert texts([*OPEN, client(0, b"say a\n"), *behind], RESUMING) == ["a", END, *["x"] * 40, END]


def test_a_body_that_nobody_wants_is_skipped_and_what_follows_is_read() -> None:
    body = b"\xff" * 3000
    frames = [
        *OPEN,
        client(0, b"body 3000\n" + body[:1000]),
        client(1010, body[:1000]),
        client(2010, body[:1000] + b"say a\n"),
    ]
    assert texts(frames) == ["a", END]


def test_a_body_of_which_packets_are_lost_is_no_gap() -> None:
    frames = [*OPEN, client(0, b"body 3000\n"), client(2010, b"\xff" * 1000), client(3010, b"say a\n")]
    assert texts(frames) == ["a", END]


def test_what_waited_behind_a_body_is_read() -> None:
    frames = [*OPEN, client(3010, b"say a\n"), client(0, b"body 3000\n"), client(3016, b"say b\n")]
    assert texts(frames) == ["a", "b", END]


def test_a_body_of_many_packets_is_skipped_to_its_last_byte() -> None:
    body = [client(16 + 1400 * number, b"x" * 1400) for number in range(1500)]
    frames = [*OPEN, client(0, b"body 2100003\nxyz"), *body, client(2_100_016, b"say end\n")]
    assert texts(frames) == ["end", END]


def test_both_sides_are_recognised_by_what_one_of_them_says() -> None:
    frames = [*OPEN, server(0, b"220 hello\n"), client(0, b"say a\n")]
    assert texts(frames) == ["no such word", "a", END]


def test_what_came_first_is_read_first_whoever_is_recognised() -> None:
    frames = [*OPEN, client(0, b"s"), server(0, b"say welcome\n"), client(1, b"ay thanks\n")]
    assert texts(frames) == ["welcome", "thanks", END]


def test_a_flow_that_nobody_recognises_is_left_alone() -> None:
    frames = [*OPEN, *[client(4 * number, b"abcd") for number in range(10)], client(40, b"say a\n")]
    assert texts(frames) == []


def test_another_protocol_may_follow() -> None:
    """As TLS follows STARTTLS."""
    frames = [*OPEN, client(0, b"say a\nagain\n"), server(0, b"say s\n"), client(12, b"say b\n")]
    assert texts(frames) == ["a", "s", "b", END]


def test_a_flow_that_hands_over_is_named_by_what_it_began_with() -> None:
    secret = ProtocolKind("secret", TCP, _is_secret, TinyDecoder, is_encrypted=True)
    frames = [*OPEN, client(0, b"say a\nagain\n"), client(12, b"SECRET"), server(0, b"SECRET")]
    [flow] = [event.fields for event in sense(frames, Registry([tiny(), secret]))[0] if event.dataset == "network.flow"]
    assert (flow["network.protocol"], flow["sakimori.protocol.then"]) == ("tiny", "secret")
    assert flow["sakimori.flow.is_encrypted"] is True


def _is_secret(data: bytes, side: int, ends: Ends) -> Verdict:
    return Verdict.YES if data.startswith(b"SECRET") else Verdict.NO


def test_a_conversation_of_which_nothing_more_is_wanted_costs_nothing_more() -> None:
    frames = [*OPEN, client(0, b"say a\nbye\n"), client(10, b"say b\n"), server(0, b"say s\n")]
    assert texts(frames) == ["a"]


def test_a_malformed_side_is_reported_and_the_other_goes_on() -> None:
    frames = [*OPEN, client(0, b"say a\nshout\n"), server(0, b"say s\n"), client(12, b"say b\n")]
    assert texts(frames) == ["no such word", "s", END]
    events, counts = sense(frames)
    [broken] = [event.fields for event in events if event.fields.get("error.code") == "malformed"]
    assert (broken["network.protocol"], broken["source.ip"]) == ("tiny", CLIENT)
    assert counts.malformed == {"tiny": 1}


def test_a_decoder_with_a_bug_stops_nothing() -> None:
    assert texts([*OPEN, client(0, b"say a\n"), client(6, b"crash\n"), server(0, b"say s\n")]) == [
        "a",
        "the decoder failed: IndexError",
        "s",
        END,
    ]


def test_a_message_without_end_is_malformed_beyond_its_bound() -> None:
    frames = [*OPEN, client(0, b"say "), *[client(4 + 100 * number, b"x" * 100) for number in range(12)]]
    assert texts(frames) == ["over 1000 bytes without an end", END]


def test_every_datagram_is_a_message_and_a_broken_one_is_reported() -> None:
    frames = [datagram(b"say a\n", 4000), datagram_reply(b"shout\n", 4000), datagram(b"say b\n", 4000)]
    assert texts(frames) == ["a", "no such word", "b", END]


def test_a_flow_of_broken_datagrams_is_left_after_eight() -> None:
    assert texts([datagram(b"say a\n", 4000), *[datagram(b"shout\n", 4000)] * 20]) == ["a", *["no such word"] * 8]


def test_a_flow_has_the_protocol_that_its_content_shows_on_any_port() -> None:
    def flow_of(frames: list[bytes], registry: Registry = ONCE) -> dict[str, object]:
        [flow] = [event.to_flat() for event in sense(frames, registry)[0] if event.dataset == "network.flow"]
        return flow

    known = flow_of([datagram(b"say a\n", 53)])
    assert (known["network.protocol"], known["sakimori.protocol.evidence"]) == ("tiny", "content")
    assert known["sakimori.flow.is_encrypted"] is False
    unknown = flow_of([datagram(b"who knows", 20_000)])
    assert (unknown["network.protocol"], unknown["sakimori.protocol.evidence"]) == ("dnp3", "port")
    assert unknown["sakimori.flow.source_head"] == b"who knows".hex()
    encrypted = flow_of([datagram(b"say a\n", 53)], Registry([tiny(UDP, is_encrypted=True)]))
    assert encrypted["sakimori.flow.is_encrypted"] is True


def test_a_port_does_not_name_what_content_would_have_shown() -> None:
    dns = Registry([tiny(UDP, "dns")])
    [flow] = [event.fields for event in sense([datagram(b"no DNS", 53)], dns)[0] if event.dataset == "network.flow"]
    assert "network.protocol" not in flow


def test_an_event_of_a_conversation_tells_all_layers() -> None:
    [event] = [
        event.fields for event in sense([*OPEN, server(0, b"say a\nbye\n")])[0] if event.dataset == "network.tiny"
    ]
    assert event == {
        "event.category": "network",
        "network.type": "ipv4",
        "network.transport": "tcp",
        "network.protocol": "tiny",
        "network.community_id": "1:qWFdO1NlDe3rYOKOgxPnRdLyhtM=",
        "source.ip": "192.0.2.10",
        "source.port": 50_000,
        "source.mac": "00-00-5E-00-53-01",
        "destination.ip": "198.51.100.20",
        "destination.port": 4000,
        "destination.mac": "00-00-5E-00-53-02",
        "tiny.text": "a",
        "tiny.side": 1,
    }


def test_a_flow_that_goes_on_keeps_its_conversation() -> None:
    frames = [*OPEN, *[client(6 * number, b"say a\n") for number in range(6)]]
    events, _ = sense(frames, limits=FlowLimits(active_seconds=50), every=20 * SECOND)
    flows = [event.fields for event in events if event.dataset == "network.flow"]
    assert [flow["network.protocol"] for flow in flows] == ["tiny"] * 3
    assert sum(event.dataset == "network.tiny" for event in events) == 7


def test_ports_that_are_not_asked_for_are_counted_and_not_decoded() -> None:
    sensor = Sensor({}, decoded_ports=frozenset({53}), registry=ONCE)
    capture = pcap_file([datagram(b"say a\n", 53), datagram(b"say b\n", 4000)])
    events = [event for batch in sensor.events(read_capture(io.BytesIO(capture))) for event in batch]
    assert [event.fields["tiny.text"] for event in events if event.dataset == "network.tiny"] == ["a", END]
    assert sum(event.dataset == "network.flow" for event in events) == 2


def test_what_all_conversations_hold_is_bounded_and_the_one_that_waited_longest_gives_way() -> None:
    half = b"say " + b"x" * 596
    frames = [segment("PA", port, seq=100, load=half) for port in (4000, 4001)]
    frames += [segment("PA", port, seq=700, load=b"\nsay more\n") for port in (4000, 4001)]
    sensor = Sensor({}, registry=ONCE, held_bytes=1000)
    events = sensor.take(ethernet(frames))
    spoken = [event.fields for event in events if "tiny.text" in event.fields]
    said = [(fields["destination.port"], fields["tiny.text"]) for fields in spoken]
    assert said == [(4000, END), (4001, "x" * 596), (4001, "more")]
    assert (sensor.counts.streams_given_up, sensor.bytes_held) == (1, 0)


def test_what_the_capture_cut_off_is_a_gap() -> None:
    whole = [client(0, b"say a\nsay b\nsay c\n"), client(18, b"say d\n")]
    for registry, expected in ((ONCE, ["a", END]), (RESUMING, ["a", END, "d", END])):
        cut = whole[0][:-10]
        packets = [(START, 1, len(whole[0]), cut), (START + 1000, 1, len(whole[1]), whole[1])]
        sensor = Sensor({}, registry=registry)
        events = sensor.take(block_of(packets)) + sensor.finish()
        assert [event.fields["tiny.text"] for event in events if "tiny.text" in event.fields] == expected


def test_a_decoder_that_fails_at_the_end_is_reported() -> None:
    class Failing(TinyDecoder):
        def finish(self) -> Sequence[Message]:
            raise KeyError("a bug")

    kinds = [ProtocolKind("tiny", transport, tiny().recognise, Failing) for transport in (TCP, UDP)]
    frames = [*OPEN, client(0, b"say a\n"), datagram(b"say b\n")]
    assert sorted(texts(frames, Registry(kinds))) == ["a", "b", *["the decoder failed: KeyError"] * 2]
