import pytest
from websockets.frames import Frame, Opcode

from sakimori_common.live_socket import LiveSocket, live_sockets, text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_ready_frame_is_what_the_library_would_send(length: int) -> None:
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_each_port_has_bounds_of_its_own() -> None:
    bound = live_sockets(max_frame_bytes=1024, max_waiting_bytes=2048, ping_seconds=3.0)
    assert (bound.max_frame_bytes, bound.max_waiting_bytes, bound.ping_seconds) == (1024, 2048, 3.0)
    assert (LiveSocket.max_frame_bytes, LiveSocket.ping_seconds) == (65_536, 20.0)
