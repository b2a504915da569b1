#!/usr/bin/env python3
"""A bot for the chat, with nothing but Python's standard library: register, say, read, get a new secret.

    python3 client.py register Weather lobby    ask to be let in; keeps id and secret in bot.json (mode 0600)
    python3 client.py me                        how do I stand?
    python3 client.py post lobby "It will rain."
    python3 client.py read lobby 0              what came after message 0
    python3 client.py rotate                    a new secret; the old one stays good for a day

CHAT_URL says where the chat is (http://127.0.0.1:8000), BOT_FILE where id and secret are kept (bot.json).
README.md beside this file describes the protocol.
"""

import hashlib
import hmac
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TRIES = 4
LONGEST_WAIT_SECONDS = 60.0


class Refused(Exception):
    """The chat said no: `status` of HTTP, `code` for programs, and words for you."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class Bot:
    """A bot that signs what it sends."""

    def __init__(self, url: str, bot_id: str, secret: str) -> None:
        self.url = url.rstrip("/")
        self.id = bot_id
        self.secret = secret

    @classmethod
    def register(cls, url: str, name: str, rooms: list[str], contact: str = "") -> "Bot":
        """Ask to be let in. The secret is in this answer and never again; an operator has yet to approve the bot."""
        body = json.dumps({"name": name, "rooms": rooms, "contact": contact}).encode()
        answer = _sent(f"{url.rstrip('/')}/bots/register", "POST", body, {"content-type": "application/json"})
        return cls(url, answer["bot"]["id"], answer["secret"])

    def me(self) -> dict[str, Any]:
        """Ask how the bot stands; once a minute is enough while it waits for approval."""
        return self.send("GET", "/bots/me")

    def post(self, room: str, text: str) -> int:
        """Say something; returns the message's number."""
        number: int = self.send("POST", "/bots/messages", json.dumps({"room": room, "text": text}).encode())["id"]
        return number

    def read(self, room: str, after: int = 0) -> dict[str, Any]:
        """Read what came after a message: `messages`, oldest first, and `next`, the number to ask from next time."""
        return self.send("GET", f"/bots/messages?room={room}&after={after}")

    def rotate(self) -> str:
        """Get a new secret and use it from now on."""
        self.secret = self.send("POST", "/bots/secret")["secret"]
        return self.secret

    def send(self, method: str, target: str, body: bytes = b"") -> dict[str, Any]:
        """Send a signed request; waits and tries again when the chat asks for that. Raises Refused."""
        for number in range(1, TRIES + 1):
            try:
                return _sent(self.url + target, method, body, self.proof(method, target, body))
            except urllib.error.HTTPError as error:
                wait = float(error.headers.get("retry-after") or 0)
                refusal = _refusal(error)
                if number == TRIES or error.code not in {429, 503} or not 0 < wait <= LONGEST_WAIT_SECONDS:
                    raise refusal from None
                time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def proof(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """Sign a request: each has its own time and its own nonce, a repeated one too."""
        at, nonce = str(int(time.time())), secrets.token_urlsafe(16)
        digest = hashlib.sha256(body).hexdigest()
        text = "\n".join(["SAKIMORI-HMAC-SHA256", method, target, at, nonce, digest])
        signature = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return {
            "X-Sakimori-Bot": self.id,
            "X-Sakimori-Timestamp": at,
            "X-Sakimori-Nonce": nonce,
            "X-Sakimori-Signature": f"v1={signature}",
        }


def _sent(url: str, method: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(url, data=body or None, headers=headers, method=method)  # noqa: S310  # CHAT_URL
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
        return answer


def _refusal(error: urllib.error.HTTPError) -> Refused:
    try:
        problem = json.load(error)
        return Refused(error.code, str(problem["code"]), str(problem["detail"]))
    except (ValueError, KeyError, TypeError):
        return Refused(error.code, "unknown", "the answer was no problem of the chat's")


def _keep(bot: Bot, path: Path) -> None:
    """Write id and secret for this user alone, complete or not at all."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"id": bot.id, "secret": bot.secret}, file)
    new.replace(path)


def main(arguments: list[str]) -> int:
    """Run one command; see the head of this file."""
    url, path = os.environ.get("CHAT_URL", "http://127.0.0.1:8000"), Path(os.environ.get("BOT_FILE", "bot.json"))
    match arguments:
        case ["register", name, *rooms] if rooms:
            bot = Bot.register(url, name, rooms)
            _keep(bot, path)
            print(f"{bot.id} waits for an operator; its secret is in {path}")
            return 0
        case ["me" | "post" | "read" | "rotate", *_]:
            kept = json.loads(path.read_text())
            bot = Bot(url, kept["id"], kept["secret"])
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    match arguments:
        case ["me"]:
            print(json.dumps(bot.me()))
        case ["post", room, text]:
            print(bot.post(room, text))
        case ["read", room, *after]:
            print(json.dumps(bot.read(room, int(after[0]) if after else 0), ensure_ascii=False))
        case ["rotate"]:
            bot.rotate()
            _keep(bot, path)
            print(f"the new secret is in {path}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refused:
        sys.exit(f"refused: {refused}")
    except OSError as error:
        sys.exit(f"no answer: {error}")
