"""What a person sees at the terminal: progress while it starts, then one screen."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text


class Screen:
    """Writes progress to stderr and the one screen to stdout; plain lines where there is no terminal."""

    def __init__(self) -> None:
        self._progress = Console(stderr=True, highlight=False)
        self._console = Console(file=sys.stdout, highlight=False)
        self._started = time.monotonic()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show that a step is under way, then how long it took."""
        begun = time.monotonic()
        if self._progress.is_terminal:
            with self._progress.status(f"{what} ..."):
                yield
        else:
            yield
        self._progress.print(Text.assemble(("  ✓ ", "green"), what, (f"  {time.monotonic() - begun:.1f} s", "dim")))

    def show(self, urls: dict[str, str], admin_password: str | None, notes: list[str]) -> None:
        """Show where everything is; the password only when it is new."""
        table = Table.grid(padding=(0, 2))
        for name, url in urls.items():
            table.add_row(Text(name, style="bold"), Text(url, style="cyan"))
        if admin_password:
            table.add_row()
            table.add_row(Text("User", style="bold"), "admin")
            table.add_row(Text("Password", style="bold"), Text(admin_password, style="bold yellow"))
            table.add_row("", Text("shown this once: keep it", style="dim"))
        for note in notes:
            table.add_row("", Text(note, style="dim"))
        title = f"Sakimori is ready after {time.monotonic() - self._started:.1f} s"
        width = None if self._console.is_terminal else 200
        self._console.print(Panel(table, title=title, border_style="green", expand=False, width=None), width=width)

    def say(self, text: str) -> None:
        """Write one line of progress."""
        self._progress.print(Text(text))
