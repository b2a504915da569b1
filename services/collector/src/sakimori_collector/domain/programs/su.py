"""What lets people in on the spot: su, login, display managers, polkit, systemd-logind (shadow 4, util-linux 2)."""

from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_TARGET = r"(?P<user__effective__name>\S{1,256})"

_PHRASES: Final = compiled(
    {
        ("authentication", "su", "success"): (
            rf"Successful su for {_TARGET} by @user",
            rf"\(to {_TARGET}\) @user on @tty",
            r"\+ @tty (?P<user__name>[^\s:]{1,256}):(?P<user__effective__name>[^\s:]{1,256})",
            rf"@user to {_TARGET} on @tty",
        ),
        ("authentication", "su", "failure"): (
            rf"FAILED su for {_TARGET} by @user",
            rf"FAILED SU \(to {_TARGET}\) @user on @tty",
            r"- @tty (?P<user__name>[^\s:]{1,256}):(?P<user__effective__name>[^\s:]{1,256})",
            rf"BAD SU @user to {_TARGET} on @tty",
            r"pam_authenticate: Authentication failure",
        ),
        ("authentication", "login", "failure"): (
            r"FAILED LOGIN \(?\d{1,5}\)? (?:on '?@tty'? )?(?:from '?@address'? )?FOR '?@known'?, .*",
            r"FAILED LOGIN (?:SESSION )?(?:\d{1,5} )?(?:FROM @address )?FOR '?@known'?, .*",
            r"FAILED LOGIN (?:ON @tty )?(?:FROM @address )?FOR (?P<user__name>[^,]{0,256})(?:,.*)?",
            r"TOO MANY LOGIN TRIES \(\d{1,5}\) (?:FROM @address )?FOR @known(?:, .*)?",
            r"invalid password for (?:'?@known'?|UNKNOWN) on '@tty'(?: from '@address')?@rest",
            r"LOGIN FAILURE (?:ON @tty )?(?:FROM @address )?(?:FOR @name)?",
        ),
        ("authentication", "login", "success"): (
            r"LOGIN ON @tty BY @user(?: FROM @address)?",
            r"(?:ROOT LOGIN|DIALUP AT \S{1,64} BY @user) +(?:ON|on) '?@tty'?(?: FROM @address| from '@address')?",
        ),
        ("session", "session_opened", "success"): (
            r"New session '?(?P<auth__session_id>[^\s']{1,64})'? of user '?(?P<user__name>[^\s']{1,256}?)'?\.?",
            r"New session '?(?P<auth__session_id>[^\s']{1,64})'? of user '?(?P<user__name>[^\s']{1,256}?)'? with @rest",
        ),
        ("session", "session_closed", "unknown"): (
            r"Session (?P<auth__session_id>\S{1,64}) logged out@rest",
            r"Removed session (?P<auth__session_id>[^\s.]{1,64})\.?",
        ),
        ("process", "pkexec_denied", "failure"): (
            r"(?P<user__name>[^\s:]{1,256}): The value for the (?:SHELL|environment) variable .*",
            r"(?P<user__name>[^\s:]{1,256}): Error executing command as another user: .*",
        ),
        ("process", "pkexec_command", "success"): (
            r"(?P<user__name>[^\s:]{1,256}): Executing command \[USER=(?P<user__effective__name>[^\]]{1,256})\] "
            r"\[TTY=(?P<auth__tty>[^\]]{0,64})\] \[CWD=(?P<process__working_directory>[^\]]{0,1024})\] "
            r"\[COMMAND=(?P<process__command_line>.*)\]",
        ),
        ("authentication", "polkit_authentication", "success"): (
            r"Operator of unix-\S{1,64} successfully authenticated as unix-user:@user .*",
        ),
        ("authentication", "polkit_authentication", "failure"): (
            r"Operator of unix-\S{1,64} FAILED to authenticate .*as unix-user:@user .*",
        ),
    }
)
_NAMES: Final = frozenset(
    {"su", "login", "systemd-logind", "elogind-daemon", "polkitd", "pkexec", "gdm", "gdm-password", "gdm-password]",
     "gdm-session-worker", "lightdm", "sddm", "sddm-helper", "xdm", "kdm", "runuser", "doas", "sulogin", "agetty"}
)  # fmt: skip


def explain(line: SyslogLine) -> Fields:
    """Say who came in, or did not."""
    return explain_pam(line.message) or said(line.message.rstrip(), _PHRASES) or other("host", "auth_other")


AUTH = Program("linux.auth", _NAMES, explain)
