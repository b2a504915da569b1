"""The gateway's own pages: where to go from here, and the API's documentation."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from sakimori_common.web import Problem

router = APIRouter(include_in_schema=False)

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
"""From the package fastapi-offline, which carries a current Swagger UI; /docs needs no other host."""

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #1b1f24;
  background: #fff }
h1 { font-size: 1.6rem } a { color: #0b57d0 } dt { font-weight: 600; margin-top: 1rem } dd { margin: 0 }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #14171a } a { color: #8ab4f8 } }
"""
_LANDING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sakimori</title><link rel="icon" href="/assets/favicon.png">
<link rel="stylesheet" href="/assets/pages.css"></head>
<body><main><h1>Sakimori 防人</h1>
<dl>
<dt><a href="/chat">/chat</a></dt><dd>The open chat.</dd>
<dt><a href="/docs">/docs</a></dt><dd>The API for operators: log in, list and triage findings, block and lift.</dd>
<dt>/ingest, /elasticsearch, /services/collector</dt><dd>Take logs, with a source's token.</dd>
</dl></main></body></html>
"""
_DOCS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sakimori API</title><link rel="icon" href="/assets/favicon.png">
<link rel="stylesheet" href="/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/assets/swagger-ui-bundle.js"></script><script src="/assets/docs.js"></script></body></html>
"""
_DOCS_SCRIPT = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""


@router.get("/")
async def landing() -> Response:
    """Show where to go from here."""
    return HTMLResponse(_LANDING)


@router.get("/docs")
async def docs() -> Response:
    """Show the documentation of the API."""
    return HTMLResponse(_DOCS)


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """Send a script, style or image of the pages."""
    headers = {"cache-control": "public, max-age=3600"}
    if name == "pages.css":
        return Response(_STYLE, media_type="text/css", headers=headers)
    if name == "docs.js":
        return Response(_DOCS_SCRIPT, media_type="text/javascript", headers=headers)
    if name not in _ASSETS:
        raise Problem(404, "not_found", "There is no such file.")
    body = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(body, media_type=_ASSETS[name], headers=headers)
