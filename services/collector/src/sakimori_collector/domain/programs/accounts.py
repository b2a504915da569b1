"""Accounts and groups that come, change and go (shadow 4: useradd.c, usermod.c, passwd.c, chage.c)."""

from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_USER = r"'?(?P<user__target__name>[^\s',]{1,256})'?"
_GROUP = r"'?(?P<group__name>[^\s',]{1,256})'?"
_UID = r"(?P<user__target__id>\d{1,10})"
_GID = r"(?P<group__id>\d{1,10})"

_PHRASES: Final = compiled(
    {
        ("iam", "user_created", "success"): (
            rf"new user: name={_USER}, UID={_UID}, GID={_GID}"
            r"(?:, home=(?P<accounts__home>[^,]{0,512}))?(?:, shell=(?P<accounts__shell>[^,]{0,512}))?(?:, from=.*)?",
        ),
        ("iam", "user_creation_failed", "failure"): (r"failed adding user '(?P<user__target__name>[^']{0,256})'.*",),
        ("iam", "group_created", "success"): (
            rf"new group: name={_GROUP}, GID={_GID}@rest",
            rf"group added to \S{{1,256}}: name={_GROUP}(?:, GID={_GID})?",
        ),
        ("iam", "user_deleted", "success"): (rf"delete user {_USER}",),
        ("iam", "group_deleted", "success"): (
            rf"(?:removed group|removed shadow group) {_GROUP} owned by .*",
            rf"group {_GROUP} removed(?: from \S{{1,256}})?",
            rf"remove group {_GROUP}@rest",
        ),
        ("iam", "user_added_to_group", "success"): (
            rf"add {_USER} to (?:shadow )?group {_GROUP}",
            rf"user {_USER} added (?:by \S{{1,256}} )?to group {_GROUP}",
            rf"members of group {_GROUP} set by @user to .*",
        ),
        ("iam", "user_removed_from_group", "success"): (
            rf"delete {_USER} from (?:shadow )?group {_GROUP}",
            rf"user {_USER} removed by @user from group {_GROUP}",
        ),
        ("iam", "password_changed", "success"): (
            rf"password (?:for|of) {_USER} changed by '?(?P<user__name>[^\s',]{{1,256}})'?",
            rf"changed? (?:user )?{_USER} password",
            rf"password changed for {_USER}",
            rf"pam_unix\(\S+:chauthtok\): password changed for {_USER}\s*",
        ),
        ("iam", "password_change_failed", "failure"): (
            rf"(?:incorrect password for|can't (?:view or modify|change) password (?:information )?for|"
            rf"password for|password locked for) {_USER}@rest",
        ),
        ("iam", "password_expiry_changed", "success"): (rf"changed password expiry for {_USER}",),
        ("iam", "user_changed", "success"): (
            rf"change(?:d)? user {_USER}.*",
            rf"(?:lock|unlock) user {_USER} password",
            rf"(?:changed user|change shell|changed) {_USER}.*",
        ),
        ("iam", "group_changed", "success"): (
            rf"change(?:d)? (?:GID for|group) {_GROUP}.*",
            rf"group changed in \S{{1,256}} \(group {_GROUP}.*",
        ),
    }
)
_NAMES: Final = frozenset(
    {"useradd", "usermod", "userdel", "adduser", "deluser", "groupadd", "groupmod", "groupdel", "gpasswd", "passwd",
     "chpasswd", "chage", "chfn", "chsh", "newusers", "groupmems", "addgroup", "delgroup", "pwconv", "vipw"}
)  # fmt: skip


def explain(line: SyslogLine) -> Fields:
    """Say which account or group changed: `user.target.name` and `group.name`; who did it is seldom said."""
    return said(line.message, _PHRASES) or explain_pam(line.message) or other("iam", "account_other")


ACCOUNTS = Program("linux.accounts", _NAMES, explain)
