"""What operators may do with rooms, messages and the people in them; each change is reported with their name."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sakimori_chat.domain.checks import Check
from sakimori_chat.domain.messages import Draft
from sakimori_chat.domain.moderation import Mute, Operator, OperatorAction, changed_policy, done_by
from sakimori_chat.domain.rooms import RoomRecord
from sakimori_chat.domain.trial import Attempted, Trial, tried
from sakimori_chat.ports import Bans, HeldMessages, Mutes, NoSuchRoom, Reporter, RoomRegistry, Rooms
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import now_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderation:
    """The operators' office for people; that for bots is BotOffice. Every method may raise StoreUnavailable."""

    registry: RoomRegistry
    rooms: Rooms
    held: HeldMessages
    mutes: Mutes
    bans: Bans
    checks: Sequence[Check]
    reporter: Reporter
    clock: Callable[[], float] = time.time

    async def all_rooms(self) -> Sequence[RoomRecord]:
        """List rooms, the lobby first, those that are closed last."""
        return await self.registry.all()

    async def create_room(self, operator: Operator, name: str, policy: Mapping[str, Any]) -> RoomRecord:
        """Open a new room. Raises PolicyError, RoomTaken, TooManyRooms."""
        made = await self.registry.create(name, policy, operator.name)
        self._report(operator, OperatorAction.ROOM_CHANGED, _room(made), "opened")
        return made

    async def change_room(
        self, operator: Operator, name: str, policy: Mapping[str, Any], is_open: bool | None
    ) -> tuple[RoomRecord, RoomRecord]:
        """Change a room's policy, close or reopen it; what it was and what it is. Raises PolicyError, NoSuchRoom,
        LobbyStays, TooManyRooms.
        """
        old, new = await self.registry.change(name, policy, is_open, operator.name)
        self._report(operator, OperatorAction.ROOM_CHANGED, _room(new), _change(old, new))
        return old, new

    async def try_out(self, room: str, attempted: Attempted, changes: Mapping[str, Any]) -> Trial:
        """Tell what would become of a text, if the room's policy were changed so. Raises NoSuchRoom, PolicyError."""
        found = next((each for each in await self.registry.all() if each.name == room), None)
        if found is None:
            raise NoSuchRoom(f"There is no room {room}.")
        return tried(attempted, changed_policy(found.policy, changes), self.checks, self.clock())

    async def find(self, room: str, number: int) -> Draft | None:
        """Look up a message with its author; None when it is gone."""
        return await self.rooms.find(room, number)

    async def delete(self, operator: Operator, room: str, number: int) -> Draft | None:
        """Take a message away everywhere, from the queue too; None when it is gone."""
        return await self._remove(operator, room, number, OperatorAction.MESSAGE_DELETED)

    async def discard(self, operator: Operator, room: str, number: int) -> Draft | None:
        """Take a held message away, unseen by all but its author; None when it is not there, or not held."""
        found = await self.rooms.find(room, number)
        if found is not None and not found.is_private:
            return None
        return await self._remove(operator, room, number, OperatorAction.MESSAGE_DISCARDED)

    async def release(self, operator: Operator, room: str, number: int) -> int | None:
        """Show a held message to everybody, as a new one; its number there, None when it is not held."""
        draft = await self.rooms.find(room, number)
        released = await self.rooms.release(room, number)
        await self.held.settle(room, number)
        if draft is not None and released is not None:
            self._report(operator, OperatorAction.MESSAGE_RELEASED, _message(room, released, draft))
        return released

    async def mute(self, operator: Operator, anon_id: str, seconds: int, reason: str) -> tuple[Mute | None, Mute]:
        """Let nobody but themselves see what somebody says, until it expires; the mute before, and this one."""
        before = await self.mutes.find(anon_id)
        mute = Mute(user_id=anon_id, seconds=seconds, by=operator.name, reason=reason, muted_at=now_text())
        await self.mutes.mute(mute)
        details: dict[str, FieldValue] = {"user.target.id": anon_id, "chat.block_seconds": seconds}
        self._report(operator, OperatorAction.USER_MUTED, details)
        return before, mute

    async def unmute(self, operator: Operator, anon_id: str) -> Mute | None:
        """End a mute; what was left of it, None when there was none."""
        before = await self.mutes.find(anon_id)
        if await self.mutes.unmute(anon_id):
            self._report(operator, OperatorAction.USER_UNMUTED, {"user.target.id": anon_id})
        return before

    async def _remove(self, operator: Operator, room: str, number: int, action: OperatorAction) -> Draft | None:
        draft = await self.rooms.find(room, number)
        was_there = await self.rooms.delete(room, number)
        await self.held.settle(room, number)
        if draft is None or not was_there:
            return None
        self._report(operator, action, _message(room, number, draft))
        return draft

    def _report(
        self, operator: Operator, action: OperatorAction, details: Mapping[str, FieldValue], reason: str = ""
    ) -> None:
        self.reporter.report(done_by(operator, action, details, reason=reason))


def _room(record: RoomRecord) -> dict[str, FieldValue]:
    return {"chat.room": record.name, "chat.room_state": _state(record)}


def _state(record: RoomRecord) -> str:
    if not record.is_open:
        return "closed"
    return "locked" if record.policy.is_locked else "open"


def _change(old: RoomRecord, new: RoomRecord) -> str:
    before, after = _state(old), _state(new)
    return "policy changed" if before == after else f"{before} to {after}"


def _message(room: str, number: int, draft: Draft) -> dict[str, FieldValue]:
    return {
        "chat.room": room,
        "chat.message.number": number,
        "chat.message.length": len(draft.text),
        "user.target.id": draft.author_id,
    }
