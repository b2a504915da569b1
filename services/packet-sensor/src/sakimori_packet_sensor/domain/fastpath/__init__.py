"""Headers and flows, compiled: blocks of packets in, ended flows and the few packets worth a decoder out."""
