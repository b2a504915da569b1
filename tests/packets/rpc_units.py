"""Units of DCE/RPC, built by Scapy."""

from typing import Any
from uuid import UUID

from scapy.layers import dcerpc

RPC: Any = dcerpc
"""Scapy's layer, which has no types."""

SVCCTL = UUID("367abb81-9844-35f1-ad32-98f038001003")


def bind(interface: UUID, *, context: int = 0, order: str = "little") -> bytes:
    """A client's request to speak with an interface."""
    syntax = RPC.DceRpc5AbstractSyntax(if_uuid=interface, if_version=2)
    asked = RPC.DceRpc5Bind(context_elem=[RPC.DceRpc5Context(cont_id=context, abstract_syntax=syntax)])
    return bytes(RPC.DceRpc5(ptype="bind", pfc_flags=3, call_id=1, endian=order) / asked)


def call(operation: int, *, context: int = 0, order: str = "little") -> bytes:
    """A call of an operation, without arguments."""
    return bytes(
        RPC.DceRpc5(ptype="request", pfc_flags=3, call_id=2, endian=order)
        / RPC.DceRpc5Request(opnum=operation, cont_id=context)
    )
