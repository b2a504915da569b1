"""Where uploads lie while they are read."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class UploadFolder:
    """Files that live as long as the request that brought them; what a crash left is removed at start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("upload-*"):
            left.unlink(missing_ok=True)

    @contextmanager
    def file(self) -> Iterator[IO[bytes]]:
        """Make an empty file, open for writing; `name` is its path. It goes with the end of the block."""
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix="upload-") as upload:
            yield upload
