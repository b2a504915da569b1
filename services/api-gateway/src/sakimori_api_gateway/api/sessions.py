"""From a token to an operator who may still act."""

from dataclasses import dataclass

from sakimori_api_gateway.domain.records import User
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.domain.tokens import Token, TokenError, read, sign
from sakimori_api_gateway.ports import Clock, UserStore
from sakimori_common.instants import MICROSECONDS, parse_instant

_TRUST_SECONDS = 10
"""A user who was disabled on another replica is out after so long."""
_CACHED_USERS = 1024


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks. The role is the one in the database; `expires_at` (microseconds) ends the session."""

    name: str
    role: Role
    address: str
    expires_at: int


class Sessions:
    """Issue tokens and check them, against the database every 10 s per user at most."""

    def __init__(self, users: UserStore, secret: str, minutes: int, clock: Clock) -> None:
        self._users = users
        self._secret = secret
        self._lifetime = minutes * 60 * MICROSECONDS
        self._clock = clock
        self._known: dict[str, tuple[int, User]] = {}

    def issue(self, user: User) -> tuple[str, int]:
        """Sign a token; returns it and when it expires, in microseconds since the epoch."""
        now = self._clock()
        expires_at = (now + self._lifetime) // MICROSECONDS * MICROSECONDS
        return sign(Token(user.name, user.role, now, expires_at), self._secret), expires_at

    async def operator(self, text: str, address: str) -> Operator:
        """Check a token and its user. Raises TokenError, or Unavailable when the database cannot be asked."""
        now = self._clock()
        token = read(text, self._secret, now)
        user = await self._user(token.user, now)
        if user is None or user.disabled_at is not None:
            raise TokenError("the user does not exist any more or is disabled")
        if token.issued_at < parse_instant(user.password_changed_at):
            raise TokenError("the password was changed since: log in again")
        return Operator(user.name, user.role, address, token.expires_at)

    def forget(self, name: str) -> None:
        """Look a user up again at the next request."""
        self._known.pop(name, None)

    async def _user(self, name: str, now: int) -> User | None:
        known = self._known.get(name)
        if known is not None and now - known[0] < _TRUST_SECONDS * MICROSECONDS:
            return known[1]
        found = await self._users.find(name)
        if found is None:
            self.forget(name)
            return None
        if len(self._known) >= _CACHED_USERS:
            self._known.clear()
        self._known[name] = (now, found[0])
        return found[0]
