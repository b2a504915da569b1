"""Any capture: the format is told by its first four bytes."""

from collections.abc import Iterator

from sakimori_packet_sensor.domain.capture import pcap, pcapng
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.capture.contract import CaptureError, Cut, Stream
from sakimori_packet_sensor.domain.capture.walking import Walker
from sakimori_packet_sensor.domain.capture.window import BLOCK_PACKETS, WINDOW_BYTES, Columns, Window


class Capture:
    """The packets of one capture, to be read once and in order; a block is good until the next is asked for.

    After the last block `cut` is None, or says where and why reading had to stop before the end.
    """

    def __init__(self, window: Window, walker: Walker, block_packets: int) -> None:
        self._window = window
        self._walker = walker
        self._columns = Columns.of(block_packets)
        self.cut: str | None = None

    def __iter__(self) -> Iterator[Block]:
        columns = self._columns
        try:
            while count := self._walker.walk(self._window, columns):
                yield columns.block(self._window.data, count)
        except Cut as cut:
            self.cut = str(cut)


def read_capture(stream: Stream, *, window_bytes: int = WINDOW_BYTES, block_packets: int = BLOCK_PACKETS) -> Capture:
    """Begin to read a pcap or pcapng capture. Raises CaptureError when the stream holds neither.

    Memory stays at `window_bytes`, or what the largest record takes, and the index of `block_packets` packets.
    """
    window = Window(stream, window_bytes)
    if not window.has(4) and not window.left:
        raise CaptureError("is empty")
    magic = bytes(window.data[: min(4, window.end)])
    if magic == pcapng.MAGIC:
        return Capture(window, pcapng.PcapngWalker(window), block_packets)
    if magic in pcap.FORMATS:
        return Capture(window, pcap.PcapWalker(window), block_packets)
    raise CaptureError(f"is no pcap or pcapng capture (begins with {magic.hex(' ')})")
