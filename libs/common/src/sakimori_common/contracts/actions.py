"""The registry of what can happen: every `event.action` of Sakimori's own datasets, with category, severity, technique.

A test compares it with what the services can emit and with what the rules ask for, so an action that is not here fails.
The severity says how much an event deserves attention by itself, before any rule has looked at what is around it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sakimori_common.contracts.finding import Severity

INFO, LOW, MEDIUM, HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH


@dataclass(frozen=True, slots=True)
class ActionKind:
    """What an action is: its `event.category`, its severity and the ATT&CK technique that it may be a sign of."""

    category: str
    severity: Severity
    technique: str | None = None


def _kinds(category: str, kinds: Mapping[str, tuple[Severity, str | None]]) -> dict[str, ActionKind]:
    return {action: ActionKind(category, severity, technique) for action, (severity, technique) in kinds.items()}


_CHAT = _kinds(
    "chat",
    {
        "chat.message_posted": (INFO, None),
        "security.csrf_failed": (MEDIUM, "T1189"),
        "security.rate_limit_hit": (MEDIUM, "T1499"),
        "security.user_blocked": (MEDIUM, "T1499"),
        "security.blocked_action_attempt": (MEDIUM, "T1499"),
        "security.high_risk_block": (HIGH, "T1499"),
        "security.message_too_long": (LOW, "T1499"),
        "security.message_flagged": (LOW, None),
        "security.muted_post": (LOW, None),
        "security.locked_room_post": (LOW, None),
        "security.slow_mode_hit": (LOW, "T1499"),
        "security.identity_flood": (MEDIUM, "T1499"),
        "security.cookie_forged": (MEDIUM, "T1606"),
        "security.requests_shed": (MEDIUM, "T1499"),
        "security.request_timed_out": (LOW, "T1499"),
        "security.connection_refused": (MEDIUM, "T1499"),
        "security.frame_refused": (LOW, "T1499"),
        "system.redis_unavailable": (HIGH, None),
        **dict.fromkeys(
            (
                "chat.room_changed",
                "chat.message_deleted",
                "chat.message_released",
                "chat.message_discarded",
                "chat.user_muted",
                "chat.user_unmuted",
            ),
            (LOW, None),
        ),
        **dict.fromkeys(
            ("debug.whoami", "debug.unblock_me", "debug.block", "debug.unblock", "debug.reset_risk"), (MEDIUM, "T1562")
        ),
        "debug.refused": (MEDIUM, "T1078"),
    },
)
_BOT = _kinds(
    "bot",
    {
        "bot.message_received": (INFO, None),
        "bot.connected": (INFO, None),
        "bot.data_read": (INFO, "T1213"),
        "bot.handshake_refused": (LOW, "T1499"),
        "bot.hmac_failed": (MEDIUM, "T1110"),
        "bot.replay_refused": (MEDIUM, "T1550"),
        "bot.unauthorized": (MEDIUM, "T1078"),
        "bot.rate_limit_hit": (LOW, "T1499"),
        "bot.disconnected": (INFO, None),
        "bot.frame_refused": (LOW, "T1499"),
        "bot.room_refused": (LOW, "T1078"),
        "bot.message_refused": (LOW, "T1499"),
        "bot.message_flagged": (LOW, None),
        "bot.registered": (LOW, "T1136"),
        "bot.registration_refused": (LOW, "T1499"),
        "bot.secret_rotated": (LOW, "T1098"),
        "bot.status_changed": (LOW, None),
        "bot.store_unavailable": (HIGH, None),
    },
)
_LOGIN = _kinds(
    "authentication",
    {
        "console_login": (INFO, "T1078"),
        "ssh_login": (INFO, "T1078"),
        "ssh_invalid_user": (LOW, "T1110"),
        "ssh_pam_failure": (LOW, "T1110"),
        "ssh_user_denied": (LOW, "T1110"),
        "ssh_max_attempts": (LOW, "T1110"),
        "ssh_method_refused": (INFO, None),
        "ssh_partial_login": (INFO, None),
        "ssh_postponed": (INFO, None),
        "ssh_connection": (INFO, None),
        "ssh_connection_refused": (LOW, "T1110"),
        "ssh_disconnect": (INFO, None),
        "ssh_negotiation_failed": (LOW, "T1595"),
        "ssh_probe": (LOW, "T1595"),
        "ssh_timeout": (LOW, "T1499"),
        "ssh_protocol_error": (LOW, "T1595"),
        "ssh_session_opened": (INFO, None),
        "ssh_session_closed": (INFO, None),
        "ssh_other": (INFO, None),
    },
)
_DEVICE = _kinds(
    "network",
    {
        "device.sighted": (INFO, None),  # within the packet sensor only
        "device.discovered": (LOW, "T1200"),
        "device.changed": (INFO, None),
        "device.offline": (INFO, None),
        "device.online": (INFO, None),
    },
)

_COLLECTOR = _kinds("collector", {"source.silent": (MEDIUM, "T1562"), "source.resumed": (INFO, None)})

_DAEMONS = {
    **_kinds(
        "authentication",
        {
            **dict.fromkeys(
                (
                    "login",
                    "su",
                    "smtp_login",
                    "mail_login",
                    "ftp_login",
                    "web_login",
                    "mysql_login",
                    "postgresql_login",
                ),
                (INFO, "T1078"),
            ),
            **dict.fromkeys(
                ("pam_failure", "pam_locked", "sudo_wrong_password", "mysql_login_refused"), (LOW, "T1110")
            ),
            **dict.fromkeys(("pam_success", "pam_remark", "smtp_login_broken", "mail_login_aborted"), (INFO, None)),
        },
    ),
    **_kinds(
        "process",
        {
            **dict.fromkeys(("sudo_command", "sudo_command_continued", "sudo_other", "pkexec_command"), (INFO, None)),
            **dict.fromkeys(("sudo_denied", "sudo_error", "pkexec_denied"), (LOW, "T1548")),
        },
    ),
    **_kinds("host", {"pam_other": (INFO, None)}),
    **_kinds("intrusion_detection", {"blocked": (MEDIUM, "T1190")}),
}
"""What the collector makes of the logins that daemons log, and of those who become somebody else."""

ACTIONS: Final[Mapping[str, ActionKind]] = {**_CHAT, **_BOT, **_LOGIN, **_DEVICE, **_COLLECTOR, **_DAEMONS}
"""By `event.action`. Other sources' actions, which the collector takes in as they are, are not ours to list."""
