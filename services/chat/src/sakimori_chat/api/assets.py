"""The page's script, style and icon."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(str(files("sakimori_chat.api").joinpath("static")))


class Assets(StaticFiles):
    """Static files that browsers keep; their addresses carry a version, so a new release is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file of the folder."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=86400"
        return response


@cache
def version() -> str:
    """Name the content of all assets."""
    return sha256(b"".join(path.read_bytes() for path in sorted(FOLDER.iterdir()))).hexdigest()[:12]
