"""What a browser gets to see: a room, or a page that says what is wrong."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sakimori_chat.api.assets import modules, version
from sakimori_chat.api.cookies import Identity, new_token
from sakimori_chat.api.phrases import LANGUAGES, PHRASES, duration, preferred_language, refusal_phrase
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.identity import shown_as
from sakimori_chat.domain.messages import Message
from sakimori_chat.domain.posting import Refusal
from sakimori_chat.domain.rooms import LOBBY, Room
from sakimori_chat.domain.text import MAX_MESSAGE_CHARACTERS, MAX_NAME_CHARACTERS

PAGE_MESSAGES = 100
SLOW = "slow"
"""The refusal that waits at the button instead of in the banner."""

_templates = Environment(
    loader=PackageLoader("sakimori_chat.api"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["duration"] = duration
_message: Any = _templates.get_template("message.html").module
_RENDERED_MESSAGES: Final = 1024
"""Some 1 MB, at worst 10. The last hundred of a room are on every page of it, and were nine tenths of its cost."""
_BLANK: Final = Message(0, "", "", "", "")
"""What the page's script makes messages of."""


@lru_cache(_RENDERED_MESSAGES)
def _entry(message: Message, is_mine: bool, bot: str) -> Any:
    return _message.entry(message, is_mine, bot)


_templates.globals["entry"] = _entry


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was refused, with what was typed, so that it is not lost."""

    refusal: Refusal
    text: str
    name: str


async def room_page(
    chat: Chat, request: Request, room: Room, identity: Identity, refused: Refused | None = None
) -> Response:
    """Show a room to whoever asks; all but the identity's cookie is set. Raises StoreUnavailable."""
    known_token = chat.cookies.token(request)
    token = known_token or new_token()
    language = language_of(chat, request)
    seen = await chat.reader.latest(room.name, PAGE_MESSAGES, identity.anon_id)
    messages = seen.page.messages
    waits = _waits(refused) or {"ban": math.ceil(seen.ban_seconds), SLOW: 0}
    state = {
        "language": language,
        "phrases": PHRASES[language],
        "me": shown_as(identity.anon_id),
        "name": refused.name if refused else chat.cookies.name(request),
        "last": messages[-1].id if messages else 0,
        "block_sec": waits["ban"],
        "slow_sec": waits[SLOW],
        "room": shown_room(room, language),
    }
    context = {
        "state": state,
        "rooms": [shown_room(other, language) for other in chat.directory.all()],
        "messages": messages,
        "blank": _BLANK,
        "token": token,
        "typed": refused.text if refused else "",
        "notice": _notice(refused, room, language),
        "max_name": MAX_NAME_CHARACTERS,
    }
    response = _page(chat, request, "chat.html", refused.refusal.status if refused else 200, context)
    if refused and refused.refusal.block_seconds:
        response.headers["retry-after"] = str(refused.refusal.block_seconds)
    if not known_token:
        chat.cookies.set_token(response, token)
    return response


def trouble_page(
    chat: Chat, request: Request, status: int, code: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Say in the reader's language what is wrong; sets nothing but the language, needs no store."""
    words = refusal_phrase(code, language_of(chat, request), limit=MAX_MESSAGE_CHARACTERS)
    response = _page(chat, request, "trouble.html", status, {"words": words})
    response.headers.update(headers or {})
    return response


def shown_room(room: Room, language: str) -> dict[str, Any]:
    """Describe a room to its readers; what its operators look for is not among it."""
    title = room.policy.title or (PHRASES[language]["lobby"] if room.name == LOBBY else room.name)
    return {
        "room": room.name,
        "title": title,
        "is_locked": room.policy.is_locked,
        "slow_seconds": math.ceil(room.policy.slow_seconds),
        "max_characters": room.policy.max_characters,
    }


def wants_page(request: Request) -> bool:
    """Tell whether a person's browser asks, and not a program or the page's script."""
    by_script = request.headers.get("x-requested-with", "").lower() == "fetch"
    return not by_script and "text/html" in request.headers.get("accept", "")


def language_of(chat: Chat, request: Request) -> str:
    """Choose the language: by `?lang=`, by the cookie that remembers it, by what the browser prefers."""
    for choice in (request.query_params.get("lang", ""), chat.cookies.language(request)):
        if choice in PHRASES:
            return choice
    return preferred_language(request.headers.get("accept-language", ""))


def _page(chat: Chat, request: Request, template: str, status: int, context: dict[str, Any]) -> Response:
    language = language_of(chat, request)
    common = {
        "language": language,
        "languages": LANGUAGES,
        "phrases": PHRASES[language],
        "version": version(),
        "modules": modules(),
    }
    html = _templates.get_template(template).render(common | context)
    headers = {"content-language": language, "vary": "accept-language, cookie"}
    response = HTMLResponse(html, status, headers=headers)
    if request.query_params.get("lang") == language:
        chat.cookies.set_language(response, language)
    return response


def _waits(refused: Refused | None) -> dict[str, int] | None:
    if refused is None or not refused.refusal.block_seconds:
        return None
    is_slow = refused.refusal.code == SLOW
    return {"ban": 0 if is_slow else refused.refusal.block_seconds, SLOW: refused.refusal.block_seconds * is_slow}


def _notice(refused: Refused | None, room: Room, language: str) -> str:
    if refused is None:
        return ""
    seconds = refused.refusal.block_seconds
    return refusal_phrase(refused.refusal.code, language, limit=room.policy.max_characters, seconds=seconds)
