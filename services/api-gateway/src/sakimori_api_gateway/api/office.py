"""What the operations on chat and bots have in common: asking the chat, and the audit."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends
from starlette.requests import Request

from sakimori_api_gateway.api.authentication import TheGateway, entry_of, needs
from sakimori_api_gateway.api.gateway import Gateway
from sakimori_api_gateway.api.sessions import Operator
from sakimori_api_gateway.domain.chat import Changed
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.ports import Asked, OfficeRefused
from sakimori_common.bus import Unavailable
from sakimori_common.web import Problem

T = TypeVar("T")


class Office:
    """The chat, for one request of an operator."""

    def __init__(self, request: Request, gateway: Gateway, asking: Operator) -> None:
        self._request_id = str(request.state.request_id)
        self._gateway = gateway
        self._asking = asking

    async def read(self, path: str, kind: type[T]) -> T:
        """Ask the chat for something. Raises Problem as the chat refuses, Unavailable when it is away."""
        return await self._ask("GET", path, None, kind)

    async def ask(self, path: str, body: object, kind: type[T]) -> T:
        """Ask the chat what it makes of something, without changing anything. Raises as `read`."""
        return await self._ask("POST", path, body, kind)

    async def change(
        self, method: str, path: str, body: object = None, *, action: str, target: str, **noted: object
    ) -> Changed:
        """Have the chat change something, with an audit entry of what was before and what is now.

        `noted` is added to what is now, such as the operator's reason. The audit is opened first: nothing is changed
        while it cannot be written. Raises as `read`.
        """
        async with self._gateway.audit.recording() as write:
            changed = await self._ask(method, path, body, Changed)
            new = {**(changed.new or {}), **{name: value for name, value in noted.items() if value}}
            entry = entry_of(self._gateway, self._asking, action, target, new or None)
            await write(msgspec.structs.replace(entry, old=changed.old))
        return changed

    async def make(self, path: str, body: object, kind: type[T], *, action: str, target: str, **noted: object) -> T:
        """Have the chat make something that is told to nobody else, so the audit has `noted` alone."""
        async with self._gateway.audit.recording() as write:
            made = await self._ask("POST", path, body, kind)
            await write(entry_of(self._gateway, self._asking, action, target, noted))
        return made

    async def _ask(self, method: str, path: str, body: object, kind: type[T]) -> T:
        asked = Asked(method, path, body, self._asking.name, self._asking.address, self._request_id)
        try:
            return msgspec.json.decode(await self._gateway.chat_office.ask(asked), type=kind)
        except OfficeRefused as refusal:
            raise Problem(refusal.status, refusal.code, str(refusal)) from None
        except msgspec.MsgspecError as error:
            raise Unavailable(f"the chat answered what this version does not understand: {error}") from None


def _office_of(role: Role) -> Callable[..., Awaitable[Office]]:
    async def office(
        request: Request, gateway: TheGateway, asking: Annotated[Operator, Depends(needs(role))]
    ) -> Office:
        return Office(request, gateway, asking)

    return office


ViewersOffice = Annotated[Office, Depends(_office_of(Role.VIEWER))]
AnalystsOffice = Annotated[Office, Depends(_office_of(Role.ANALYST))]
AdminsOffice = Annotated[Office, Depends(_office_of(Role.ADMIN))]


def part(value: Any, kind: type[T]) -> T:
    """Read one side of a change. Raises Unavailable when it is not what it should be."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Unavailable(f"the chat answered what this version does not understand: {error}") from None
