"""The beginning of a session: a connection that may be, a handshake in time, a bot that is let in."""

import asyncio
from typing import Final

from sakimori_chat.bots.domain.endings import (
    LATE,
    TOO_MANY_HANDSHAKES,
    rapid_reconnect,
    refusal_of_fault,
    too_many_connects,
)
from sakimori_chat.bots.domain.frames import Handshake
from sakimori_chat.bots.domain.occurrences import BotOrigin
from sakimori_chat.bots.domain.refusals import BotRefusal, malformed
from sakimori_chat.bots.domain.session import Fault, Session
from sakimori_chat.bots.domain.signature import SESSION_METHOD, SESSION_TARGET, MalformedClaim, claim_of
from sakimori_chat.bots.intake import Admitted, BotDoor
from sakimori_chat.bots.sessions.ports import SessionClaims
from sakimori_chat.bots.sessions.wire import Wire
from sakimori_chat.domain.identity import network_of
from sakimori_chat.ports import StoreUnavailable

MAX_HANDSHAKES: Final = 100
"""Connections that have not said who they are. Those that have are counted apart, so these take no place of theirs."""


class Left(Exception):
    """The peer went before it said who it is."""


class Reception:
    """Lets bots in. Whom it refuses it reports; the caller tells the bot."""

    def __init__(self, door: BotDoor, claims: SessionClaims, handshake_seconds: float) -> None:
        self._door = door
        self._claims = claims
        self._handshake_seconds = handshake_seconds
        self._waiting = 0

    async def welcome(self, wire: Wire, session: Session, origin: BotOrigin) -> Admitted | BotRefusal:
        """Wait for a handshake and look at it. Raises Left."""
        if self._waiting >= MAX_HANDSHAKES:
            return self._door.refuse(TOO_MANY_HANDSHAKES, origin)
        self._waiting += 1
        try:
            if (seconds := await self._claims.connect(network_of(origin.address))) > 0:
                return self._door.refuse(too_many_connects(seconds), origin)
            return await self._greeted(wire, session, origin)
        except StoreUnavailable:
            return self._door.store_away("valkey", origin)
        finally:
            self._waiting -= 1

    async def _greeted(self, wire: Wire, session: Session, origin: BotOrigin) -> Admitted | BotRefusal:
        try:
            async with asyncio.timeout(self._handshake_seconds):
                got = await wire.receive(session.max_bytes)
        except TimeoutError:
            return self._door.refuse(LATE, origin)
        if got is None:
            raise Left
        step = got if isinstance(got, Fault) else session.greet(got)
        if isinstance(step, Handshake):
            return await self._known(step, origin)
        return self._door.refuse(refusal_of_fault(step), origin)

    async def _known(self, handshake: Handshake, origin: BotOrigin) -> Admitted | BotRefusal:
        try:
            claim = claim_of(
                bot_id=handshake.id,
                timestamp=str(handshake.timestamp),
                nonce=handshake.nonce,
                signature=handshake.signature,
                method=SESSION_METHOD,
                target=SESSION_TARGET,
                body=handshake.body,
            )
        except MalformedClaim as error:
            return self._door.refuse(malformed(str(error)), origin, handshake.id)
        admitted = await self._door.authenticate(claim, origin, lets_pending=True)
        if isinstance(admitted, Admitted) and (seconds := await self._claims.reconnect(admitted.bot.id)) > 0:
            return self._door.refuse(rapid_reconnect(seconds), origin, admitted.bot.id, admitted.bot.name)
        return admitted
