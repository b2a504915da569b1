"""What goes over a WebSocket of the page, as JSON text; ours to browsers, and theirs to us."""

import math
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from sakimori_chat.domain.messages import Message, Page
from sakimori_chat.domain.posting import Refusal
from sakimori_chat.domain.rooms import Room

MAX_FRAME_BYTES: Final = 8 * 1024
"""Of what a browser sends: a message of 2,000 characters in UTF-8 and what stands around it."""
_MAX_REF: Final = 64


Wording = msgspec.Raw
"""A message as it stands in a frame."""


class _PageFrame(msgspec.Struct, frozen=True, tag_field="type", tag="page"):
    messages: list[Message]
    next: int
    has_more: bool
    reset: bool
    deleted: list[int]
    block_sec: int


class _MessagesFrame(msgspec.Struct, frozen=True, tag_field="type", tag="messages"):
    messages: Sequence[Wording]
    next: int


class _DeletedFrame(msgspec.Struct, frozen=True, tag_field="type", tag="deleted"):
    ids: Sequence[int]


class _RoomFrame(msgspec.Struct, frozen=True, tag_field="type", tag="room"):
    room: str
    title: str
    is_locked: bool
    slow_seconds: float
    max_characters: int


class _BlockedFrame(msgspec.Struct, frozen=True, tag_field="type", tag="blocked"):
    block_sec: int


class _PostedFrame(msgspec.Struct, frozen=True, tag_field="type", tag="posted"):
    ref: str


class _RefusedFrame(msgspec.Struct, frozen=True, tag_field="type", tag="refused"):
    ref: str
    status: int
    code: str
    detail: str
    block_sec: int


class Post(msgspec.Struct, frozen=True, tag_field="type", tag="post"):
    """A browser wants to say something. `ref` comes back in the answer; more fields than these are ignored."""

    text: str
    ref: Annotated[str, msgspec.Meta(max_length=_MAX_REF)] = ""
    name: str = ""
    csrf_token: str = ""


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Post)


class FrameError(ValueError):
    """A browser's frame is not one that we know; `reason` is not_json or unknown_frame."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_frame(text: str) -> Post:
    """Read a browser's frame. Raises FrameError."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError:
        raise FrameError("unknown_frame") from None
    except (msgspec.DecodeError, RecursionError):
        raise FrameError("not_json") from None


def page_frame(page: Page, block_seconds: float) -> bytes:
    """Show a joining browser where it stands."""
    seconds = math.ceil(block_seconds)
    return _encode(_PageFrame(page.messages, page.next, page.has_more, page.reset, page.deleted, seconds))


def wording_of(message: Message) -> Wording:
    """Put a message into JSON, for as many frames as it will stand in."""
    return Wording(_encode(message))


def messages_frame(messages: Sequence[Wording], following: int) -> bytes:
    """Tell what was said; `following` is the number to ask from next time."""
    return _encode(_MessagesFrame(messages, following))


def deleted_frame(numbers: Sequence[int]) -> bytes:
    """Tell what is to be taken off."""
    return _encode(_DeletedFrame(numbers))


def room_frame(room: Room) -> bytes:
    """Tell how the room is set."""
    policy = room.policy
    return _encode(_RoomFrame(room.name, policy.title, policy.is_locked, policy.slow_seconds, policy.max_characters))


def blocked_frame(seconds: float) -> bytes:
    """Tell somebody that posting is blocked for so long; 0: no longer."""
    return _encode(_BlockedFrame(math.ceil(seconds)))


def posted_frame(ref: str) -> bytes:
    """Answer a post that was taken."""
    return _encode(_PostedFrame(ref))


def refused_frame(ref: str, refusal: Refusal) -> bytes:
    """Answer a post that was not."""
    return _encode(_RefusedFrame(ref, refusal.status, refusal.code, refusal.detail, refusal.block_seconds))
