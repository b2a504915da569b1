"""Descriptions of calls."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_packet_sensor.domain.protocols.sdp import sdp_fields

CALL = (
    b"v=0\r\no=alice 1 1 IN IP4 192.0.2.10\r\ns=Call\r\ni=about\r\nu=https://example.com\r\ne=a@example.com\r\n"
    b"p=+1 555 0100\r\nc=IN IP4 192.0.2.10\r\nb=AS:64\r\n"
    b"t=1 2\r\nr=7d 1h 0\r\nz=0 -1h\r\nk=clear:s3cr3t\r\na=sendrecv\r\n"
    b"m=audio 30000 RTP/SAVP 0\r\ni=sound\r\nb=AS:32\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:s3cr3tkey\r\na=ice-pwd:s3cr3tpassword\r\nm=video 30002 RTP/AVP 31\r\n"
)


def test_a_description_tells_session_and_media_and_no_key() -> None:
    told = sdp_fields(CALL, "x")
    assert told == {
        "x.origin": "alice 1 1 IN IP4 192.0.2.10",
        "x.session_name": "Call",
        "x.session_info": "about",
        "x.uri": "https://example.com",
        "x.email": "a@example.com",
        "x.phone_number": "+1 555 0100",
        "x.connection_data": "IN IP4 192.0.2.10",
        "x.time": "1 2",
        "x.repeat_time": "7d 1h 0",
        "x.timezone": "0 -1h",
        "x.has_encryption_key": True,
        "x.bandwidths": ["AS:64"],
        "x.attributes": ["sendrecv"],
        "x.media": ["audio 30000 RTP/SAVP 0", "video 30002 RTP/AVP 31"],
        "x.media_bandwidths": ["AS:32"],
        "x.media_attributes": ["rtpmap:0 PCMU/8000", "crypto:1 AES_CM_128_HMAC_SHA1_80", "ice-pwd"],
    }
    assert "s3cr3t" not in str(told)


def test_lists_are_bounded() -> None:
    told = sdp_fields(b"a=x\n" * 400 + b"m=audio 1 RTP/AVP 0\n" * 4000, "x")
    assert (len(str(told["x.attributes"])), len(str(told["x.media"]))) == (64 * 5, 64 * 21)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_some_fields_or_none(data: bytes) -> None:
    assert isinstance(sdp_fields(data, "x"), dict)
