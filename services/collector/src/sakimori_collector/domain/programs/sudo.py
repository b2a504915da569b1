"""sudo: who ran what as whom, and who was not let (sudo 1.8 and 1.9, logging.c)."""

import re
from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_LINE = re.compile(
    r"\s*(?P<user>\S{1,256}) : "
    r"(?:\(command continued\) (?P<continued>.*)|(?P<error>[^;=]{1,256} ; )?(?P<rest>[A-Z]{2,16}=.*))\Z",
    re.DOTALL,
)
_KEY = re.compile(r"(?<![^ ])(HOST|TTY|PWD|CHROOT|USER|GROUP|TSID|EXIT|SIGNAL|ENV|RUSER|COMMAND)=")
_FIELD_OF: Final = {
    "TTY": "sudo.tty",
    "PWD": "process.working_directory",
    "USER": "user.effective.name",
    "GROUP": "group.name",
    "TSID": "sudo.session_id",
    "ENV": "sudo.environment",
    "COMMAND": "process.command_line",
    "CHROOT": "sudo.chroot",
}
_DENIED: Final = (
    "NOT in sudoers",
    "not in the sudoers",
    "command not allowed",
    "not allowed to",
    "NOT authorized on host",
)
_PASSWORD: Final = ("incorrect password", "a password is required", "authentication failure", "1 incorrect")


def explain(line: SyslogLine) -> Fields:
    """Say what sudo did: `sudo_command`, `sudo_denied`, `sudo_wrong_password`, ...; never what was typed."""
    pam = explain_pam(line.message)
    if pam is not None:
        return pam
    match = _LINE.match(line.message) if len(line.message) <= MESSAGE_LIMIT else None
    if match is None:
        return {"event.category": "process", "event.action": "sudo_other", "event.outcome": "unknown"}
    fields = _meaning((match["error"] or "").removesuffix(" ; "))
    fields["user.name"] = match["user"]
    if match["continued"] is not None:
        fields["event.action"] = "sudo_command_continued"
        return fields
    _put_values(fields, match["rest"])
    return fields


def _meaning(error: str) -> Fields:
    if not error:
        return {"event.category": "process", "event.action": "sudo_command", "event.outcome": "success"}
    category, action = "process", "sudo_denied"
    if any(text in error for text in _PASSWORD):
        category, action = "authentication", "sudo_wrong_password"
    elif not any(text in error for text in _DENIED):
        action = "sudo_error"
    return {"event.category": category, "event.action": action, "event.outcome": "failure", "sudo.error": error}


def _put_values(fields: Fields, rest: str) -> None:
    """The command is last and may hold anything, also what looks like a key."""
    before, mark, command = rest.partition("COMMAND=")
    parts = _KEY.split(before)
    for key, value in zip(parts[1::2], parts[2::2], strict=False):
        name = _FIELD_OF.get(key)
        if name is not None and value.strip(" ;"):
            fields[name] = value.strip(" ;")
    if mark and command:
        fields["process.command_line"] = command


SUDO = Program("linux.sudo", frozenset({"sudo", "sudoedit"}), explain)
