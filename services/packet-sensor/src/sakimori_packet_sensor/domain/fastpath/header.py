"""What the decoding of one packet leaves behind: places in an int64 array, since compiled functions share arrays best."""

from typing import Final

VERSION: Final = 0  # of IP, 0 as long as no IP header was read
PROTOCOL: Final = 1
SOURCE_AT: Final = 2  # of the address, in the block's buffer
DESTINATION_AT: Final = 3
IP_BYTES: Final = 4
SOURCE_PORT: Final = 5  # NO_PORT for none; of ICMP the stand-ins of Community ID
DESTINATION_PORT: Final = 6
PAYLOAD_AT: Final = 7
PAYLOAD_BYTES: Final = 8  # captured
PAYLOAD_WIRE: Final = 9  # on the wire
FLAGS: Final = 10  # of TCP
SEQUENCE: Final = 11
FRAGMENT: Final = 12  # WHOLE, FIRST_FRAGMENT or LATER_FRAGMENT
FRAGMENT_ID: Final = 13
FRAGMENT_AT: Final = 14  # offset in the whole packet
FRAGMENT_BYTES: Final = 15
MACS_AT: Final = 16  # of the destination's and the source's MAC address, -1 for none
SOURCE_MAC_AT: Final = 17  # -1 for none
VLAN: Final = 18
TUNNEL: Final = 19  # protocol of the innermost tunnel
ANOMALY: Final = 20
NETWORK_AT: Final = 21  # of the network header
FRAME_AT: Final = 22
TRANSPORT_AT: Final = 23
FIELDS: Final = 24

WHOLE: Final = 0
FIRST_FRAGMENT: Final = 1
LATER_FRAGMENT: Final = 2

# What became of a packet: Undecoded, or one of these.
IS_IP: Final = 8
IS_ARP: Final = 9
