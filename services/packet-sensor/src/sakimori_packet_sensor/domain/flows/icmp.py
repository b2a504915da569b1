"""Which ICMP messages answer which, so that a ping and its answer are one flow; the table is Community ID's."""

from typing import Final

_V4: Final = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10}
_V6: Final = {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130, 144: 145, 145: 144,
              139: 140, 140: 139}  # fmt: skip
COUNTERPARTS: Final[dict[int, dict[int, int]]] = {1: _V4, 58: _V6}
"""Protocol to message type to the type that answers it."""


def as_ports(protocol: int, kind: int, code: int) -> tuple[int, int]:
    """Stand-ins for ports of an ICMP message: its type and the type of the answer, or the code where none answers."""
    return kind, COUNTERPARTS[protocol].get(kind, code)
