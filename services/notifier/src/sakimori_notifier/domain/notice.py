"""A finding in the words and the shape of each channel. What users wrote can never ping, link or break out of it."""

import json
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

from sakimori_common.contracts import Finding, Severity

RULE: Final = "=" * 60
SLACK_LIMIT: Final = 3_000
"""Characters of a Slack notice: below the 4,000 from which Slack splits a text."""
DISCORD_LIMIT: Final = 2_000
"""Characters of `content` that Discord takes (developer documentation, Execute Webhook)."""
DETAIL_LIMIT: Final = 200
"""Characters of one detail in a notice; the whole of it stands in the finding."""
_ZERO_WIDTH: Final = "\u200b"


@dataclass(frozen=True, slots=True)
class Words:
    """The headings of a notice in one language."""

    alert: str
    time: str
    kind: str
    message: str
    details: str
    why: str
    response: str


LANGUAGES: Final = {
    "ja": Words("セキュリティアラート", "時刻", "タイプ", "メッセージ", "詳細", "理由", "対応"),
    "en": Words("Security alert", "Time", "Type", "Message", "Details", "Why", "What to do"),
}

ICONS: Final = {
    Severity.CRITICAL: "🚨",
    Severity.HIGH: "🚨",
    Severity.MEDIUM: "⚠️",
    Severity.LOW: "ℹ️",
    Severity.INFO: "ℹ️",
}


def plain_text(finding: Finding, language: str) -> str:
    """Write a notice as lines of text: heading, ID, request (S0-71), time, type, message, details, why, what to do."""
    words = LANGUAGES[language]
    lines = [
        heading(finding, language),
        f"ID: {finding.id}",
        *([f"Trace: {_one_line(finding.trace_id, 64)}"] if finding.trace_id else []),
        f"{words.time}: {finding.last_seen_at}",
        f"{words.kind}: {finding.rule_id}",
        f"{words.message}: {_one_line(finding.message, 500)}",
        f"{words.details}:",
        *(f"  {name}: {value}" for name, value in _details(finding).items()),
        f"{words.why}: {_one_line(finding.why, 500)}",
        f"{words.response}: {_one_line(finding.response, 500)}",
    ]
    return "\n".join(lines)


def heading(finding: Finding, language: str) -> str:
    """Write the first line: `🚨 セキュリティアラート [HIGH]` (S1-43)."""
    return f"{ICONS[finding.severity]} {LANGUAGES[language].alert} [{finding.severity.upper()}]"


def console_text(finding: Finding, language: str) -> str:
    """Write the box for the console: 60 `=` above and below (S1-43)."""
    return f"{RULE}\n{plain_text(finding, language)}\n{RULE}\n"


def slack_body(finding: Finding, language: str) -> dict[str, Any]:
    """Write the body of a Slack Incoming Webhook; `&<>` are escaped, so `<!channel>` and links stay text."""
    text = plain_text(finding, language).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": _cut(_unmention(text), SLACK_LIMIT), "link_names": False, "unfurl_links": False, "mrkdwn": False}


def discord_body(finding: Finding, language: str) -> dict[str, Any]:
    """Write the body of a Discord webhook: nobody is ever pinged, whatever the text says (S0-15)."""
    return {
        "content": _cut(_unmention(plain_text(finding, language)), DISCORD_LIMIT),
        "allowed_mentions": {"parse": []},
    }


def email(finding: Finding, language: str, sender: str, recipients: list[str]) -> EmailMessage:
    """Write the mail; the subject holds level and message on one line."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = f"[{finding.severity.upper()}] {_one_line(finding.message, 150)}"
    mail["Message-ID"] = f"<{finding.id}.{finding.count}@sakimori>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(plain_text(finding, language))
    return mail


def _details(finding: Finding) -> dict[str, str]:
    shown: dict[str, Any] = finding.details or {finding.entity_type: finding.entity}
    return {
        _one_line(str(name), 60): _one_line(value if isinstance(value, str) else json.dumps(value), DETAIL_LIMIT)
        for name, value in list(shown.items())[:20]
    }


def _one_line(text: str, limit: int) -> str:
    return _cut("".join(char if char.isprintable() else " " for char in text), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _unmention(text: str) -> str:
    return text.replace("@", "@" + _ZERO_WIDTH)
