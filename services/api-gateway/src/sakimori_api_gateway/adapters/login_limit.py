"""The limits of logins in Valkey: fixed windows per address and per user name."""

from sakimori_common.context import Valkey
from sakimori_common.valkey import CONNECTION_ERRORS, unavailable

_TAKE = """
local function count(key, limit)
  local number = redis.call('INCR', key)
  if number == 1 then redis.call('PEXPIRE', key, ARGV[1]) end
  if number > tonumber(limit) then return redis.call('PTTL', key) end
  return 0
end
local wait = count(KEYS[1], ARGV[2])
if wait == 0 and KEYS[2] then wait = count(KEYS[2], ARGV[3]) end
return wait
"""


class ValkeyLoginLimit:
    """Counters `gateway:login:address:*` and `gateway:login:user:*`; both are asked in one script."""

    def __init__(self, valkey: Valkey, *, window_seconds: int, per_address: int, per_user: int) -> None:
        self._valkey = valkey
        self._arguments = [window_seconds * 1000, per_address, per_user]
        self._take = valkey.register_script(_TAKE)

    async def take(self, address: str, user: str | None) -> int:
        """Count an attempt of an address and, unless None, one against a user; 0, or seconds to wait when refused.

        An attempt against a user is counted before the password is looked at, so that many at once gain nothing.
        """
        keys = [f"gateway:login:address:{address}"]
        if user is not None:
            keys.append(_user_key(user))
        try:
            wait_milliseconds = int(await self._take(keys=keys, args=self._arguments))
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error
        return -(-wait_milliseconds // 1000)

    async def forgive(self, user: str) -> None:
        """Forget the attempts against a user: the password was right."""
        try:
            await self._valkey.delete(_user_key(user))
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error


def _user_key(user: str) -> str:
    return f"gateway:login:user:{user}"
