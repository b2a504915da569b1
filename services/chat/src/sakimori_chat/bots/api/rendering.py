"""What bots get as answers: problems, and what is left of their limits.

RateLimit-Policy and RateLimit as draft-ietf-httpapi-ratelimit-headers-11 (May 2026) has them in 3 and 4: lists of
strings with parameters (RFC 9651).
"""

from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

from sakimori_chat.bots.domain.limits import Quota
from sakimori_chat.bots.domain.refusals import BotRefusal
from sakimori_chat.bots.domain.signature import SCHEME
from sakimori_common.web import problem_response


def limit_headers(quotas: Sequence[Quota]) -> dict[str, str]:
    """Say which limits there are and what is left of each."""
    if not quotas:
        return {}
    return {
        "ratelimit-policy": ", ".join(f'"{q.period}";q={q.limit};w={q.period.seconds}' for q in quotas),
        "ratelimit": ", ".join(f'"{q.period}";r={q.remaining};t={q.reset_seconds}' for q in quotas),
    }


def refused(refusal: BotRefusal) -> Response:
    """Render a refusal as a problem; a 401 says how to prove oneself (RFC 9110, 11.6.1)."""
    headers = limit_headers(refusal.quotas)
    extra: dict[str, object] = {}
    if refusal.retry_seconds:
        headers["retry-after"] = str(refusal.retry_seconds)
    if refusal.status == 401:
        headers["www-authenticate"] = SCHEME
    if refusal.code == "rate_limited":
        extra["violated-policies"] = [refusal.details["bot.limit_period"]]
    return problem_response(refusal.status, refusal.code, refusal.detail, headers, **extra)


def answered(content: Mapping[str, object], quotas: Sequence[Quota], status: int = 200) -> Response:
    """Render what a bot asked for."""
    return JSONResponse(dict(content), status, limit_headers(quotas))
