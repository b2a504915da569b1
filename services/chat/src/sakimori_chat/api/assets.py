"""The page's scripts, style and icon."""

import re
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(str(files("sakimori_chat.api").joinpath("static")))

_VERSION_SEGMENT: Final = re.compile(r"(?P<version>[0-9a-f]{12})/(?P<file>.+)", re.DOTALL)
_KEEP_SECONDS: Final = 31_536_000


class Assets(StaticFiles):
    """Static files under /chat/static/<version>/: what one script imports has the version of the script itself.

    Browsers keep the present version for good, and ask again for any other: while replicas change over, one may be
    asked for the version of the next, and its answer must not be kept under that name.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file of the folder, with or without a version before its name."""
        versioned = _VERSION_SEGMENT.fullmatch(path)
        response = await super().get_response(versioned["file"] if versioned else path, scope)
        is_present = versioned is not None and versioned["version"] == version()
        response.headers["cache-control"] = f"public, max-age={_KEEP_SECONDS}, immutable" if is_present else "no-cache"
        return response


@cache
def version() -> str:
    """Name the content of all assets: 12 hex digits."""
    content = sha256()
    for path in sorted(FOLDER.iterdir()):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()[:12]


@cache
def modules() -> tuple[str, ...]:
    """Name the scripts, so that the page can fetch all at once instead of one after the other."""
    return tuple(sorted(path.name for path in FOLDER.glob("*.js")))
