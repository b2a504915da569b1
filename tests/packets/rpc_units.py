"""Units of DCE/RPC, built by Scapy."""

from uuid import UUID

from scapy.layers.dcerpc import DceRpc5, DceRpc5AbstractSyntax, DceRpc5Bind, DceRpc5Context, DceRpc5Request

SVCCTL = UUID("367abb81-9844-35f1-ad32-98f038001003")


def bind(interface: UUID, *, context: int = 0, order: str = "little") -> bytes:
    """A client's request to speak with an interface."""
    syntax = DceRpc5AbstractSyntax(if_uuid=interface, if_version=2)
    asked = DceRpc5Bind(context_elem=[DceRpc5Context(cont_id=context, abstract_syntax=syntax)])
    return bytes(DceRpc5(ptype="bind", pfc_flags=3, call_id=1, endian=order) / asked)


def call(operation: int, *, context: int = 0, order: str = "little") -> bytes:
    """A call of an operation, without arguments."""
    return bytes(
        DceRpc5(ptype="request", pfc_flags=3, call_id=2, endian=order)
        / DceRpc5Request(opnum=operation, cont_id=context)
    )
