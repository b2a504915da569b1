"""MySQL, MariaDB and PostgreSQL: who was let in, and who was not. Both log to a file of their own or to syslog."""

import re
from typing import Final

from sakimori_collector.domain.addresses import put_source
from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT, compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_MYSQL_LABELS = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ] ?\d{1,2}:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)? |\d{6} {1,2}\d{1,2}:\d\d:\d\d )?"
    r"(?:(?P<thread>\d{1,20}) )?(?:\[(?P<level>Warning|Note|ERROR|Error|System)\] )?(?:\[MY-(?P<code>\d{6})\] )?"
    r"(?:\[\w{1,32}\] )?"
)

_MYSQL: Final = compiled(
    {
        ("authentication", "mysql_login", "failure"): (
            r"Access denied for user '@known'@'(?P<address>[^'\s]{1,255})'(?: \(using password: (?:YES|NO)\)| to "
            r"database '[^']{1,256}')?\.?",
        ),
        ("authentication", "mysql_login_refused", "failure"): (
            r"Host '(?P<address>[^'\s]{1,255})' is (?:not allowed to connect|blocked because of many connection "
            r"errors)@rest",
        ),
        ("network", "mysql_aborted", "unknown"): (r"Aborted connection \d{1,20} to db: '@rest",),
    }
)


def explain_mysql_text(text: str) -> Fields:
    """Say what mysqld means; `text` may begin with its time, thread, level and code."""
    labels = _MYSQL_LABELS.match(text) if len(text) <= MESSAGE_LIMIT else None
    if labels is None:
        return other("database", "mysql_other")
    fields = said(text[labels.end() :].rstrip(), _MYSQL) or other("database", "mysql_other")
    if labels["level"]:
        fields["log.level"] = labels["level"].lower()
        if labels["thread"]:
            fields["mysql.thread_id"] = int(labels["thread"])
    if labels["code"]:
        fields["error.code"] = f"MY-{labels['code']}"
    return fields


def explain_mysql(line: SyslogLine) -> Fields:
    """Say what mysqld means, its own time left out."""
    return explain_mysql_text(line.message)


POSTGRES_LEVEL = (
    r"(?P<level>LOG|FATAL|ERROR|WARNING|PANIC|NOTICE|INFO|DEBUG[1-5]?|DETAIL|STATEMENT|HINT|CONTEXT|QUERY|LOCATION):  ?"
)
_POSTGRES_LINE = re.compile(rf"(?P<prefix>.{{0,512}}?)\b{POSTGRES_LEVEL}(?P<text>.*)\Z", re.DOTALL)
_HOST = re.compile(
    r"(?:\bhost=|\bclient=|\A|\s|@|\[)((?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,8})(?:\("
    r"(\d{1,5})\))?(?=[\s,:\]]|\Z)"
)
_ACCOUNT = re.compile(r"\buser=([^\s,]{0,63})|(?:\A|\s)([^\s@=]{1,63})@([^\s@=,:]{1,63})(?=\s)")
_DATABASE = re.compile(r"\bdb=([^\s,]{0,63})")

_POSTGRES: Final = compiled(
    {
        ("authentication", "postgresql_login", "failure"): (
            r"(?P<sakimori__auth__method>password|peer|Ident|ident|LDAP|RADIUS|PAM|certificate|GSSAPI|SSPI|BSD|"
            r"RADIUS|trust|SCRAM) "
            r"authentication failed for user \"@known\"@rest",
            r"no pg_hba\.conf entry for (?:replication connection from )?host \"@address\", user \"@known\".*",
            r"pg_hba\.conf rejects (?:replication )?connection for host \"@address\", user \"@known\".*",
            r"(?:role|database) \"(?P<postgresql__log__missing>.{0,256}?)\" (?:does not exist|is not permitted to "
            r"log in)@rest",
            r"no PostgreSQL user name specified in startup packet@rest",
        ),
        ("authentication", "postgresql_login", "success"): (
            r"connection authorized: user=@user(?: database=(?P<postgresql__log__database>\S{1,256}))?@rest",
        ),
        ("network", "postgresql_connected", "unknown"): (r"connection received: host=@address(?: port=@port)?@rest",),
        ("network", "postgresql_disconnected", "unknown"): (
            r"disconnection: .{0,256}? user=@user database=(?P<postgresql__log__database>\S{1,256}) host=@address(?: "
            r"port=@port)?@rest",
        ),
    }
)


def explain_postgres_text(text: str) -> Fields:
    """Say what the server means; `text` is `prefix LEVEL:  message`, the prefix as `log_line_prefix` has it."""
    match = _POSTGRES_LINE.match(text) if len(text) <= MESSAGE_LIMIT else None
    if match is None:
        return other("database", "postgresql_other")
    fields = said(_first_line(match["text"]), _POSTGRES) or other("database", "postgresql_other")
    level = match["level"]
    if fields["event.action"] == "postgresql_other" and level in {"FATAL", "ERROR", "PANIC"}:
        fields["event.outcome"] = "failure"
    fields["log.level"] = level.lower()
    _put_prefix(fields, match["prefix"])
    return fields


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip()


def _put_prefix(fields: Fields, prefix: str) -> None:
    """Who and whence, where the prefix says it: `user@database`, `user=a,db=b,client=c`, an address."""
    host = _HOST.search(prefix)
    if host is not None and "source.ip" not in fields:
        put_source(fields, host[1])
        if host[2]:
            fields["source.port"] = int(host[2])
    account = _ACCOUNT.search(prefix)
    if account is not None:
        user = account[1] or account[2]
        if user and user != "[unknown]":
            fields.setdefault("user.name", user)
        if account[3] and account[3] != "[unknown]":
            fields.setdefault("postgresql.log.database", account[3])
    database = _DATABASE.search(prefix)
    if database is not None and database[1]:
        fields.setdefault("postgresql.log.database", database[1])


_NUMBERED = re.compile(r"\[(\d{1,9})(?:-\d{1,9})?\] ")
"""What the server puts before each message it sends to syslog (`syslog_sequence_numbers`)."""


def explain_postgres(line: SyslogLine) -> Fields:
    """Say what the server means."""
    numbered = _NUMBERED.match(line.message)
    return explain_postgres_text(line.message[numbered.end() :] if numbered is not None else line.message)


MYSQL = Program(
    "mysql.error",
    frozenset({"mysqld", "mariadbd", "mysql", "mariadb", "mysqld_safe"}),
    explain_mysql,
    logins="mysql.auth",
)
POSTGRESQL = Program(
    "postgresql.log", frozenset({"postgres", "postgresql", "postmaster"}), explain_postgres, logins="postgresql.auth"
)
