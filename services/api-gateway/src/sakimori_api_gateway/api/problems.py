"""Every error as problem+json (RFC 9457), whatever raised it."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sakimori_api_gateway.domain.cursor import CursorError
from sakimori_api_gateway.domain.passwords import CredentialsError
from sakimori_api_gateway.domain.triage import TriageConflict
from sakimori_api_gateway.ports import Conflict, NotFound
from sakimori_common.bus import Unavailable
from sakimori_common.web import problem_response, render_problem

RETRY_AFTER_SECONDS = 2


def register(app: FastAPI) -> None:
    """Make the application answer with problems only."""
    app.add_exception_handler(HTTPException, render_problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(Exception, _broken)
    for kind, status, code in (
        (NotFound, 404, "not_found"),
        (Conflict, 409, "conflict"),
        (TriageConflict, 409, "triage_conflict"),
        (CursorError, 422, "cursor_invalid"),
        (CredentialsError, 422, "credentials_invalid"),
    ):
        app.add_exception_handler(kind, _renderer(status, code))


def _renderer(status: int, code: str):  # type: ignore[no-untyped-def]  # starlette's alias of handlers is wider
    async def render(_: Request, error: Exception) -> Response:
        return problem_response(status, code, str(error))

    return render


async def _invalid(_: Request, error: Exception) -> Response:
    """Say which field is wrong and why; never repeat the value, which may be a password."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    fields = [{"field": ".".join(str(part) for part in item["loc"]), "message": item["msg"]} for item in problems]
    detail = "; ".join(f"{field['field']}: {field['message']}" for field in fields[:5])
    return problem_response(422, "invalid_request", detail, errors=fields[:100])


async def _unavailable(_: Request, error: Exception) -> Response:
    return unavailable(f"Something this needs is away, try again soon ({error}).")


def unavailable(detail: str) -> Response:
    """Build the answer of a gateway that cannot serve now."""
    return problem_response(503, "system_unavailable", detail, {"retry-after": str(RETRY_AFTER_SECONDS)})


async def _broken(_: Request, __: Exception) -> Response:
    return problem_response(500, "internal_error", "This is a defect of the gateway; its log has the request id.")
