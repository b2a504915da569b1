"""What a rule without a `sakimori:` block says of itself: public Sigma rules know neither entity nor confidence."""

from typing import Final

from sigma.rule import SigmaRule

from sakimori_common.contracts import Severity
from sakimori_detector.domain.blocks import Block
from sakimori_detector.domain.sources import LogSource, canonical

_BY_STATUS: Final = {"stable": 0.8, "test": 0.7, "experimental": 0.5, "deprecated": 0.3, "unsupported": 0.2}
_UNKNOWN_STATUS: Final = 0.5
_BY_LEVEL: Final = {Severity.INFO: 0.2, Severity.LOW: 0.1}
"""What is taken off: rules of low levels are written to find what is often harmless."""

_RESPONSE: Final = {
    Severity.INFO: "Nothing to do at once; context for other findings of the same entity.",
    Severity.LOW: "Look at it when there are other findings of the same entity.",
    Severity.MEDIUM: "Look at the events within the day and at what the rule names as false positives.",
    Severity.HIGH: "Look at the events now; if none of the known false positives explains them, contain the entity.",
    Severity.CRITICAL: "Contain the entity at once, keep the evidence, then find out how far it went.",
}

_ADDRESS: Final = "source.ip"
_HOST: Final = "host.name"
_USER: Final = "user.name"
_ENTITY_OF_CATEGORY: Final = {
    **dict.fromkeys(("webserver", "proxy", "firewall", "authentication", "dns", "ids"), _ADDRESS),
    "application": _USER,
}
_ENTITY_OF_PRODUCT: Final = {
    **dict.fromkeys(("windows", "linux", "macos", "antivirus"), _HOST),
    **dict.fromkeys(("aws", "azure", "gcp", "m365", "okta", "onelogin", "google_workspace", "github"), _USER),
    **dict.fromkeys(("bitbucket", "cisco_duo", "kubernetes"), _USER),
    **dict.fromkeys(("zeek", "suricata", "cisco", "fortigate", "fortios", "paloalto", "juniper", "huawei"), _ADDRESS),
    **dict.fromkeys(("nginx", "apache", "iis", "opencanary", "modsecurity"), _ADDRESS),
}
_ENTITY_OF_SERVICE: Final = dict.fromkeys(("sshd", "vsftpd", "postfix"), _ADDRESS)
_MAX_DETAILS: Final = 20
_MAX_WHY: Final = 4096


def entity_of(source: LogSource) -> str:
    """Choose what findings are about: the address that speaks, the host that logs, or the user that acts.

    The most telling part of the log source decides: the service, then the product of a host, then the category.
    """
    if source.service in _ENTITY_OF_SERVICE:
        return _ADDRESS
    by_product = _ENTITY_OF_PRODUCT.get(source.product or "")
    by_category = _ENTITY_OF_CATEGORY.get(source.category or "")
    return by_product or by_category or (_HOST if source.category or source.service else _ADDRESS)


def block_for(rule: SigmaRule, severity: Severity, source: LogSource, entity: str | None = None) -> Block:
    """Write the block that a rule does not have. `entity` is that of a correlation's group-by."""
    entity = entity or entity_of(source)
    return Block(
        entity=entity,
        message=f"{rule.title.replace('{', '(').replace('}', ')')}: {{{entity}}}",
        why=(rule.description or rule.title).strip()[:_MAX_WHY],
        response=_RESPONSE[severity],
        confidence=_confidence(rule, severity),
        details=_details(rule, source),
    )


def _confidence(rule: SigmaRule, severity: Severity) -> float:
    status = rule.status.name.lower() if rule.status is not None else ""
    return round(_BY_STATUS.get(status, _UNKNOWN_STATUS) - _BY_LEVEL.get(severity, 0.0), 2)


def _details(rule: SigmaRule, source: LogSource) -> dict[str, str]:
    """Show the fields that the rule calls telling, and who wrote it: its licence wants that in what it generates."""
    names = [name for name in rule.fields if isinstance(name, str) and name[:1] not in {"@", "="}]
    shown = {name: canonical(source, name) for name in names[:_MAX_DETAILS]}
    return {**shown, "rule_author": f"={rule.author}"} if rule.author else shown
