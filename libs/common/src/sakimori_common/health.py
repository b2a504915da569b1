"""Liveness and readiness of one service."""

import asyncio
from collections.abc import Awaitable, Callable

Check = Callable[[], Awaitable[object]]


class NotReady(Exception):
    """A check's answer for whoever looks at /ready. Its text is shown as it is: no addresses, no secrets."""


class Health:
    """Named checks of what the service depends on; each must answer within a second.

    Live means that the process runs its event loop; ready means that every dependency answers.
    """

    def __init__(self, timeout_seconds: float = 1.0) -> None:
        self._checks: dict[str, Check] = {}
        self._timeout_seconds = timeout_seconds

    def add(self, name: str, check: Check) -> None:
        """Register a check: it returns when all is well and raises otherwise."""
        self._checks[name] = check

    def remove(self, name: str) -> None:
        """Depend on it no longer."""
        self._checks.pop(name, None)

    async def report(self) -> dict[str, str]:
        """Run every check at once; `ok` or what went wrong (NotReady's text, else the kind of error only)."""
        checks = dict(self._checks)  # one may be removed meanwhile
        results = await asyncio.gather(*map(self._run, checks.values()))
        return dict(zip(checks, results, strict=True))

    async def _run(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await check()
        except TimeoutError:
            return f"no answer within {self._timeout_seconds:g} s"
        except NotReady as reason:
            return str(reason)
        except Exception as error:  # noqa: BLE001  # a check may fail in any way; that is its answer
            return type(error).__name__
        return "ok"
