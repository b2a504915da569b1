"""The rooms that the settings name."""

from collections.abc import Iterable, Sequence

from sakimori_chat.domain.rooms import LOBBY, Room


class FixedRooms:
    """Rooms that never change: the lobby and those given."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        ordered = [LOBBY, *sorted(set(names) - {LOBBY})]
        self._rooms = {name: Room(name=name) for name in ordered}

    def find(self, name: str) -> Room | None:
        """See RoomDirectory."""
        return self._rooms.get(name)

    def all(self) -> Sequence[Room]:
        """See RoomDirectory."""
        return list(self._rooms.values())
