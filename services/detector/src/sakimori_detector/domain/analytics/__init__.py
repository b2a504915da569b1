"""Analytics: what Sigma cannot say. One module each, named as `analytic.type` in the rule."""

from collections.abc import Callable
from typing import Final

from sakimori_detector.domain.analytics import (
    ban_evasion,
    chat_risk,
    dns_tunnel,
    indicator,
    own_hours,
    payload_opinion,
    rate_anomaly,
    risk,
    unusual_hour,
)
from sakimori_detector.domain.analytics.contract import Analytic, AnalyticError, World
from sakimori_detector.domain.rules import AnalyticRule

_TYPES: Final[dict[str, Callable[[AnalyticRule, World], Analytic]]] = {
    "ban_evasion": ban_evasion.BanEvasion,
    "chat_risk": chat_risk.ChatRisk,
    "dns_tunnel": dns_tunnel.DnsTunnel,
    "indicator": indicator.Indicator,
    "own_hours": own_hours.OwnHours,
    "payload_opinion": payload_opinion.PayloadOpinion,
    "rate_anomaly": rate_anomaly.RateAnomaly,
    "risk": risk.Risk,
    "unusual_hour": unusual_hour.UnusualHour,
}

__all__ = ["Analytic", "AnalyticError", "World", "build"]


def build(rule: AnalyticRule, world: World) -> Analytic:
    """Make the analytic of a rule. Raises AnalyticError for an unknown type or parameters it does not take."""
    make = _TYPES.get(rule.type)
    if make is None:
        raise AnalyticError(f"analytic type {rule.type!r} is none of {', '.join(sorted(_TYPES))}")
    return make(rule, world)
