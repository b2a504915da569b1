"""Packets on disk for a while: pcap files in a folder, the oldest of which make room for the newest."""

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import NO_LINK, Block, CaptureError
from sakimori_packet_sensor.domain.capture.writing import RECORD_BYTES, file_header, pack
from sakimori_packet_sensor.domain.fastpath.wanted import Chooser, Wanted

_SEGMENTS: Final = 16
_MIN_SEGMENT_BYTES: Final = 256 * 1024
_BUFFERS: Final = 4
_BUFFER_BYTES: Final = 2 * 1024 * 1024
_CLOSE_SECONDS: Final = 5.0
_ETHERNET: Final = 1
_PATTERN: Final = "*.pcap"


class StoreCounts(NamedTuple):
    """Packets and bytes that were written, and packets that were not because the disk did not keep up or was full."""

    packets: int
    bytes: int
    lost: int


class PacketStore:
    """Keeps the packets of one capture process, at most `max_bytes`; whoever may read the folder can read them.

    Who writes never waits for the disk: packets go through a few buffers to a thread, and are lost to the store,
    counted, when that does not keep up. Segments are whole pcap files; after a crash the last one may end within a
    packet. One process writes a folder; others may read it meanwhile (`extract`). Raises CaptureError when the folder
    cannot be made.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._segments = _Segments(folder, max_bytes)
        self._free: queue.SimpleQueue[npt.NDArray[np.uint8]] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(np.empty(_BUFFER_BYTES, np.uint8))
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="packet-store", daemon=True)
        self._thread.start()

    def write(self, block: Block) -> None:
        """Keep the packets of a block. Never waits and never raises."""
        for link_type in np.unique(block.link).tolist():
            if link_type != NO_LINK:
                self._write(block, link_type)

    def _write(self, block: Block, link_type: int) -> None:
        first = 0
        while first < len(block.at):
            try:
                buffer = self._free.get_nowait()
            except queue.Empty:
                self._lost += int(np.count_nonzero(block.link[first:] == link_type))
                return
            following, used, packets = pack(block, first, link_type, buffer)
            self._full.put(_Piece(buffer, used, packets, link_type, int(block.time[following - 1])))
            first = following

    @property
    def counts(self) -> StoreCounts:
        """What became of the packets so far."""
        segments = self._segments
        return StoreCounts(segments.packets, segments.bytes, self._lost + segments.lost)

    def close(self) -> None:
        """Write what is still to be written, as long as that takes a few seconds."""
        self._full.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while (piece := self._full.get()) is not None:
            self._segments.write(piece)
            self._free.put(piece.buffer)
        self._segments.close()


class _Piece(NamedTuple):
    buffer: npt.NDArray[np.uint8]
    used: int
    packets: int
    link_type: int
    time: int


class _Segments:
    """The files; for the one thread that writes them."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CaptureError(f"packets cannot be kept in {folder}: {error.strerror or error}") from None
        self._folder = folder
        self._segment_bytes = max(max_bytes // _SEGMENTS, _MIN_SEGMENT_BYTES)
        self._max_bytes = max(max_bytes, 2 * self._segment_bytes)
        self._file: FileIO | None = None
        self._link_type = NO_LINK
        self._size = self._time = 0
        self.packets = self.bytes = self.lost = 0

    def write(self, piece: _Piece) -> None:
        try:
            file = self._file
            if file is None or piece.link_type != self._link_type or self._size + piece.used > self._segment_bytes:
                file = self._begin(piece.link_type, piece.used)
            _write_all(file, piece.buffer[: piece.used].data)
        except OSError:  # the disk is full, or the folder is gone: the next piece begins another file
            self.lost += piece.packets
            self.close()
            return
        self._size += piece.used
        self._time = piece.time
        self.packets += piece.packets
        self.bytes += piece.used

    def close(self) -> None:
        """End the current file; its time becomes that of its last packet, by which readers pass over it."""
        if self._file is not None:
            with suppress(OSError):
                os.utime(self._file.fileno(), (self._time / MICROSECONDS,) * 2)
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _begin(self, link_type: int, room: int) -> FileIO:
        self.close()
        present = segments_of(self._folder)
        self._make_room(present, max(room, self._segment_bytes))
        number = int(present[-1].stem) + 1 if present else 1
        path = self._folder / f"{number:012d}.pcap"
        self._file = FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        _write_all(self._file, memoryview(file_header(link_type)))
        self._link_type, self._size = link_type, len(file_header(link_type))
        return self._file

    def _make_room(self, present: list[Path], room: int) -> None:
        sizes = {path: path.stat().st_size for path in present}
        total = sum(sizes.values())
        for path in present:
            if total + room <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= sizes[path]


def _write_all(file: FileIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


def segments_of(folder: Path) -> list[Path]:
    """List the files of a store, oldest first; none of a folder that is not there."""
    try:
        return sorted(path for path in folder.glob(_PATTERN) if path.stem.isdecimal())
    except OSError:
        return []


class Extract(NamedTuple):
    """A pcap file with the packets that were wanted, in order of time; `is_whole` when there were no more of them."""

    pcap: bytes
    packets: int
    is_whole: bool


def extract(folders: Sequence[Path], wanted: Wanted, max_bytes: int) -> Extract:
    """Take the packets that are wanted from the stores in these folders: the first ones, should they be too many.

    Raises ValueError when `wanted` makes no sense. Reads what is there at some ten million packets a second and core.
    Packets of another link type than the first are left out, which `is_whole` tells.
    """
    chooser = Chooser(wanted)
    collected = _Collected(max_bytes)
    for folder in folders:
        for block in _blocks(folder, wanted):
            if not collected.add(chooser.choose(block)):
                break
    return collected.extract()


def _blocks(folder: Path, wanted: Wanted) -> Iterator[Block]:
    segments = segments_of(folder)
    for segment in segments:
        try:
            is_complete = segment is not segments[-1]
            if is_complete and segment.stat().st_mtime * MICROSECONDS < wanted.since:
                continue
            with open_capture(segment) as capture:
                for block in capture:
                    if block.time[0] >= wanted.until:
                        break
                    yield block
        except (OSError, CaptureError):  # it made room while we looked, or a crash left it without a header
            continue


class _Collected:
    """Packets as records of a pcap file, up to a bound."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes - len(file_header(0))
        self._link_type: int | None = None
        self._records: list[npt.NDArray[np.uint8]] = []
        self._times: list[npt.NDArray[np.int64]] = []
        self._sizes: list[npt.NDArray[np.int64]] = []
        self._is_whole = True

    def add(self, block: Block) -> bool:
        """Take the packets of a block; False when there is no more room."""
        if not len(block.at):
            return True
        if self._link_type is None:
            self._link_type = int(block.link[0])
        is_same = block.link == self._link_type
        sizes = block.captured[is_same].astype(np.int64) + RECORD_BYTES
        out = np.empty(min(int(sizes.sum()), max(self._left, 0)), np.uint8)
        following, used, packets = pack(block, 0, self._link_type, out)
        self._left -= used
        self._records.append(out[:used])
        self._times.append(block.time[is_same][:packets].copy())
        self._sizes.append(sizes[:packets])
        is_full = following < len(block.at)
        self._is_whole = self._is_whole and not is_full and bool(is_same.all())
        return not is_full

    def extract(self) -> Extract:
        """Put them in order."""
        header = file_header(_ETHERNET if self._link_type is None else self._link_type)
        if not self._records:
            return Extract(header, 0, self._is_whole)
        times, sizes = np.concatenate(self._times), np.concatenate(self._sizes)
        records = np.concatenate(self._records)
        if (np.diff(times) < 0).any():
            ends = np.cumsum(sizes).tolist()
            raw, begins = records.tobytes(), [0, *ends]
            body = b"".join(raw[begins[i] : ends[i]] for i in np.argsort(times, kind="stable").tolist())
        else:
            body = records.tobytes()
        return Extract(header + body, len(times), self._is_whole)
