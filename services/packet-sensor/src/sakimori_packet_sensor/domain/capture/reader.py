"""Any capture: the format is told by its first four bytes."""

from collections.abc import Iterator

from sakimori_packet_sensor.domain.capture import pcap, pcapng
from sakimori_packet_sensor.domain.capture.frame import CaptureError, Cut, Frame, Stream


class Capture:
    """The frames of one capture, to be read once and in order; memory stays at one frame.

    After the last frame `cut` is None, or says where and why reading had to stop before the end.
    """

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.cut: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self._frames
        except Cut as cut:
            self.cut = str(cut)


def read_capture(stream: Stream) -> Capture:
    """Begin to read a pcap or pcapng capture. Raises CaptureError when the stream holds neither."""
    magic = stream.read(4)
    if not magic:
        raise CaptureError("is empty")
    if magic == pcapng.MAGIC:
        return Capture(pcapng.read(stream))
    if magic in pcap.FORMATS:
        return Capture(pcap.read(stream, magic))
    raise CaptureError(f"is no pcap or pcapng capture (begins with {magic.hex(' ')})")
