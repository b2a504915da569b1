"""Capture files: from a stream of bytes to frames. What a frame holds is not looked at here."""

from sakimori_packet_sensor.domain.capture.frame import NO_LINK, CaptureError, Frame, Stream
from sakimori_packet_sensor.domain.capture.reader import Capture, read_capture

__all__ = ["NO_LINK", "Capture", "CaptureError", "Frame", "Stream", "read_capture"]
