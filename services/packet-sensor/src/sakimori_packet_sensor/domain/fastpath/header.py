"""What the decoding of one packet leaves behind: one record, since compiled functions pass records as a pointer."""

from typing import Final

import numpy as np

HEADER: Final = np.dtype(
    [
        ("version", "i8"),  # of IP, 0 as long as no IP header was read
        ("protocol", "i8"),
        ("source_at", "i8"), ("destination_at", "i8"),  # of the addresses, in the block's buffer
        ("ip_bytes", "i8"),
        ("source_port", "i8"), ("destination_port", "i8"),  # NO_PORT for none; of ICMP the stand-ins of Community ID
        ("transport_at", "i8"),
        ("payload_at", "i8"), ("payload_bytes", "i8"),  # captured
        ("payload_wire", "i8"),  # bytes on the wire
        ("payload_later", "i8"),  # bytes that are to come in later fragments, as far as that is known
        ("flags", "i8"), ("sequence", "i8"),  # of TCP
        ("fragment", "i8"),  # WHOLE, FIRST_FRAGMENT or LATER_FRAGMENT
        ("fragment_id", "i8"), ("fragment_at", "i8"), ("fragment_bytes", "i8"),  # at: offset in the whole packet
        ("source_mac_at", "i8"), ("destination_mac_at", "i8"),  # -1 for none
        ("vlan", "i8"),
        ("tunnel", "i8"),  # protocol of the innermost tunnel
        ("anomaly", "i8"),
        ("frame_at", "i8"), ("frame_end", "i8"),  # end: of what was captured
    ]
)  # fmt: skip

WHOLE: Final = 0
FIRST_FRAGMENT: Final = 1
LATER_FRAGMENT: Final = 2

# What became of a packet: Undecoded, or one of these.
IS_IP: Final = 8
IS_ARP: Final = 9
