"""A real browser for a run of tests: headless Chromium, driven over its DevTools protocol on loopback."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from servers.eventually import eventually

MISSING = "No browser for the tests: install Chromium (apt-get install chromium) or name one in CHROMIUM."

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root in containers, where Chromium's own sandbox cannot
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)
_START_SECONDS = 60.0
_ANSWER_SECONDS = 20.0


class NoChromium(Exception):
    """There is no Chromium and none may be installed."""


def find_chromium() -> str:
    """Choose the browser of this run: CHROMIUM, an installed one, or Debian's package.

    Raises NoChromium, whose text says what to install.
    """
    for name in (os.environ.get("CHROMIUM", ""), *_NAMES):
        if name and (found := shutil.which(name)):
            return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
        for command in (["update", *options], ["install", "--no-install-recommends", *options, "chromium"]):
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", *command], env=environment, capture_output=True, check=False)
        if found := shutil.which("chromium"):
            return found
    raise NoChromium(MISSING)


class Page:
    """One open page, and all that went wrong in it."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._context = ""
        self.dialogs: list[str] = []
        """Texts of alert() and its kin: with scripts of others kept out, there are none."""
        self.complaints: list[str] = []
        """Errors and warnings of the console: uncaught exceptions, violations of the content security policy."""

    async def listen(self) -> None:
        """Take what the browser says until it ends."""
        async for raw in self._connection:
            message = json.loads(raw)
            if "id" in message:
                answer = self._answers.pop(message["id"])
                if not answer.cancelled():
                    answer.set_result(message)
            else:
                self._note(message["method"], message.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Page.javascriptDialogOpening":
                self.dialogs.append(params["message"])
            case "Runtime.exceptionThrown":
                self.complaints.append(params["exceptionDetails"]["text"])
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())

    async def send(self, method: str, **params: object) -> dict[str, Any]:
        """Send a DevTools command to the page and return its result. Raises AssertionError when it is refused."""
        number = next(self._numbers)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        await self._connection.send(json.dumps(message))
        async with asyncio.timeout(_ANSWER_SECONDS):
            reply = await answer
        assert "error" not in reply, f"{method}: {reply.get('error')}"
        result: dict[str, Any] = reply["result"]
        return result

    async def attach(self) -> None:
        """Open an empty page of a visitor who has not been here before, and watch it."""
        self._context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = await self.send("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")

    async def leave(self) -> None:
        """Close the page and forget its cookies."""
        self._session = None
        await self.send("Target.disposeBrowserContext", browserContextId=self._context)

    async def open(self, url: str) -> None:
        """Load an address and wait until its scripts have run."""
        await self.send("Page.navigate", url=url)
        await eventually(lambda: self.evaluate(f"document.readyState === 'complete' && location.href === {url!r}"))

    async def evaluate(self, expression: str) -> Any:
        """Run an expression in the page and return its value."""
        reply = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in reply, f"{expression}: {reply['exceptionDetails']}"
        return reply["result"].get("value")

    async def type(self, selector: str, text: str) -> None:
        """Put the cursor into a field and type."""
        await self.evaluate(f"document.querySelector({selector!r}).focus()")
        await self.send("Input.insertText", text=text)

    async def press(self, key: str) -> None:
        """Press Enter or Tab where the cursor is."""
        code, text = {"Enter": (13, "\r"), "Tab": (9, "")}[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        await self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    async def press_enter(self) -> None:
        """Press Enter where the cursor is."""
        await self.press("Enter")


@dataclass(frozen=True, slots=True)
class Browser:
    """A running browser; every visitor has cookies of its own."""

    address: str

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Page]:
        """Open a page that shares nothing with any other, for the length of the block."""
        async with connect(self.address, max_size=1 << 26) as connection:
            page = Page(connection)
            listening = asyncio.create_task(page.listen())
            await page.attach()
            try:
                yield page
            finally:
                await page.leave()
                listening.cancel()


@contextmanager
def running_browser(executable: str, profile: Path) -> Iterator[Browser]:
    """Run a browser with a fresh profile for the length of the block."""
    command = [executable, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port, path = _listening(process, profile / "DevToolsActivePort")
        yield Browser(f"ws://127.0.0.1:{port}{path}")
    finally:
        process.terminate()
        process.wait()


def _listening(process: "subprocess.Popen[bytes]", port_file: Path) -> tuple[str, str]:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if port_file.exists() and port_file.read_text().count("\n") >= 1:
            port, path = port_file.read_text().split("\n")[:2]
            return port, path
        time.sleep(0.02)
    raise AssertionError(f"the browser did not start within {_START_SECONDS:g} s (exit status {process.poll()})")
