"""Become another program: `launch.py PARENT SIGNAL UID GID CAPABILITY -- PROGRAM ARGUMENT...`; run as a file, alone.

Between fork and exec three things are to be set that only the child itself can set: the signal that the kernel sends
it when the parent dies, another user (PostgreSQL refuses to run as root), and for that user the right to enter folders
that are closed to it, since data and binaries often lie under /root. Linux only where it says so; imports little.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAPABILITY_VERSION_3 = 0x2008_0522
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
"""From linux/capability.h. READ_SEARCH is what is wanted; containers often hold OVERRIDE only."""


def permitted_capabilities() -> int:
    """Read the bit set of capabilities that this process may use; 0 where the kernel has no such thing."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # pathlib costs 10 ms of start
            return next((int(line.split()[1], 16) for line in status if line.startswith("CapPrm")), 0)
    except OSError:
        return 0


def _become(uid: int, gid: int, capability: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if capability >= 0:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if capability >= 0:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        bits = 1 << capability
        sets = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
        if libc.capset(header, sets) or libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot keep the right to enter closed folders")


def _die_with(parent: int, signal: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit("the parent is gone")


def _main(arguments: list[str]) -> None:
    split = arguments.index("--")
    parent, signal, uid, gid, capability = map(int, arguments[:split])
    program = arguments[split + 1 :]
    os.umask(0o077)
    if uid >= 0:
        _become(uid, gid, capability)
    _die_with(parent, signal)
    os.execv(program[0], program)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    _main(sys.argv[1:])
