"""Filter expressions (pcap-filter(7)), compiled by libpcap, which is looked for only when there is one."""

import ctypes
from functools import cache, partial
from typing import Final

import numpy as np

from sakimori_packet_sensor.domain.capture import MAX_FRAME_BYTES, CaptureError
from sakimori_packet_sensor.domain.capture.bpf import INSTRUCTION, BadProgram, PacketFilter, Program, checked

_LIBRARIES: Final = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")
_MAX_CHARACTERS: Final = 8192
_NETMASK_UNKNOWN: Final = 0xFFFFFFFF
_RAW_IP: Final = 101
_OWN_NUMBERS: Final = {_RAW_IP: 12}
"""libpcap calls some link types otherwise inside of programs than in files (DLT_RAW)."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def packet_filter(expression: str) -> PacketFilter:
    """Make a filter for packets of any link type. Raises CaptureError when it does not even do for Ethernet."""
    compile_filter(expression, 1)
    return PacketFilter(partial(compile_filter, expression))


def compile_filter(expression: str, link_type: int) -> Program:
    """Compile an expression for packets of one link type. Raises CaptureError, which says why it cannot be.

    Names of hosts are looked up by libpcap, as tcpdump does; addresses need nobody.
    """
    if "\0" in expression or len(expression) > _MAX_CHARACTERS:
        raise CaptureError("the filter is no expression")
    library = _library()
    handle = library.pcap_open_dead(_OWN_NUMBERS.get(link_type, link_type), MAX_FRAME_BYTES)
    if not handle:
        raise CaptureError(f"libpcap has no filters for link type {link_type}")
    try:
        return _compiled(library, handle, expression)
    finally:
        library.pcap_close(handle)


def _compiled(library: ctypes.CDLL, handle: int, expression: str) -> Program:
    program = _Program()
    if library.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, _NETMASK_UNKNOWN) != 0:
        reason = library.pcap_geterr(handle).decode(errors="replace")
        raise CaptureError(f"the filter {expression!r} cannot be compiled: {reason}")
    try:
        raw = ctypes.string_at(program.instructions, program.length * INSTRUCTION.itemsize)
        return checked(np.frombuffer(raw, INSTRUCTION))
    except BadProgram as problem:
        raise CaptureError(f"the filter {expression!r} makes a program that cannot be run: {problem}") from None
    finally:
        library.pcap_freecode(ctypes.byref(program))


@cache
def _library() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_open_dead.restype = ctypes.c_void_p
        library.pcap_open_dead.argtypes = [ctypes.c_int, ctypes.c_int]
        library.pcap_compile.argtypes = [
            ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32
        ]  # fmt: skip
        library.pcap_geterr.restype = ctypes.c_char_p
        library.pcap_geterr.argtypes = [ctypes.c_void_p]
        library.pcap_freecode.argtypes = [ctypes.POINTER(_Program)]
        library.pcap_close.argtypes = [ctypes.c_void_p]
        return library
    raise CaptureError("a filter needs libpcap: install libpcap0.8 (Debian, Ubuntu) or libpcap (Fedora, Alpine)")
