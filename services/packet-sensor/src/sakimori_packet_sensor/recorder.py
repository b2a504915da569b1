"""One capture that an operator asked for: `python -m sakimori_packet_sensor.recorder`, started by recordings.py.

The order comes as a line of JSON on stdin; stdin closing ends the capture. What came of it goes to stdout as JSON.
"""

import select
import signal
import sys
from pathlib import Path

import msgspec

from sakimori_packet_sensor.adapters.recording import record
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.recording import Outcome, RecordingOrder


def main() -> int:
    """Capture as ordered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service says when to stop
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=RecordingOrder)
    try:
        done = record(
            order.interface,
            Path(order.path),
            max_bytes=order.max_bytes,
            seconds=order.seconds,
            packet_filter=order.packet_filter,
            is_stopped=_is_stdin_closed,
        )
        outcome = Outcome(packets=done.packets, bytes=done.bytes, lost=done.lost, is_full=done.is_full)
    except CaptureError as error:
        outcome = Outcome(error=str(error))
    except OSError as error:
        outcome = Outcome(error=f"the file cannot be written: {error.strerror}")
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
    return 0


def _is_stdin_closed() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)


if __name__ == "__main__":
    sys.exit(main())
