"""Field names of public Sigma rules and what they are called in Elastic Common Schema.

Facts of the Sigma taxonomy (2.1.0) and of ECS (8.x), for the log sources that events come from here; what is in no
table keeps its name. Why not a pipeline of pySigma: docs/adr/0008-sigma-fields.md.
"""

from collections.abc import Mapping
from typing import Final

Names = Mapping[str, str]
"""Sigma's name to that of ECS."""

WEB: Final[Names] = {
    "c-ip": "source.ip",
    "c-uri": "url.original",
    "cs-uri": "url.original",
    "cs-uri-query": "url.original",  # rules look for paths in it, too; the whole request line has both
    "c-uri-query": "url.query",
    "c-uri-stem": "url.path",
    "cs-uri-stem": "url.path",
    "c-uri-extension": "url.extension",
    "cs-method": "http.request.method",
    "cs-version": "http.version",
    "cs-host": "url.domain",
    "r-dns": "url.domain",
    "cs-username": "user.name",
    "cs-user-agent": "user_agent.original",
    "cs-useragent": "user_agent.original",
    "cs(User-Agent)": "user_agent.original",
    "c-useragent": "user_agent.original",
    "cs-referer": "http.request.referrer",
    "cs-referrer": "http.request.referrer",
    "cs(Referer)": "http.request.referrer",
    "cs-cookie": "http.request.headers.cookie",
    "sc-status": "http.response.status_code",
    "cs-bytes": "http.request.body.bytes",
    "sc-bytes": "http.response.body.bytes",
    "r-ip": "destination.ip",
}

HOST: Final[Names] = {
    "Image": "process.executable",
    "CommandLine": "process.command_line",
    "CurrentDirectory": "process.working_directory",
    "ProcessId": "process.pid",
    "ProcessGuid": "process.entity_id",
    "ParentImage": "process.parent.executable",
    "ParentCommandLine": "process.parent.command_line",
    "ParentProcessId": "process.parent.pid",
    "ParentProcessGuid": "process.parent.entity_id",
    "OriginalFileName": "process.pe.original_file_name",
    "NewProcessName": "process.executable",
    "ParentProcessName": "process.parent.executable",
    "SourceImage": "process.executable",
    "TargetFilename": "file.path",
    "ImageLoaded": "file.path",
    "PipeName": "file.name",
    "TargetObject": "registry.path",
    "Details": "registry.data.strings",
    "QueryName": "dns.question.name",
    "QueryResults": "dns.answers.data",
    "SourceIp": "source.ip",
    "SourcePort": "source.port",
    "SourceHostname": "source.domain",
    "DestinationIp": "destination.ip",
    "DestinationPort": "destination.port",
    "DestinationHostname": "destination.domain",
    "Protocol": "network.transport",
    "Computer": "host.name",
    "ComputerName": "host.name",
    "Hostname": "host.name",
    "host.hostname": "host.name",
}

WINDOWS: Final[Names] = {
    "EventID": "event.code",
    "Provider_Name": "event.provider",
    "Channel": "winlog.channel",
    "IpAddress": "source.ip",
    "IpPort": "source.port",
    "ServiceName": "service.name",
    "ScriptBlockText": "powershell.file.script_block_text",
}

NETWORK: Final[Names] = {
    "src_ip": "source.ip",
    "src_port": "source.port",
    "src_mac": "source.mac",
    "dst_ip": "destination.ip",
    "dst_port": "destination.port",
    "dst_mac": "destination.mac",
    "query": "dns.question.name",
    "record_type": "dns.question.type",
    "answer": "dns.answers.data",
    "answers": "dns.answers.data",
}

ZEEK: Final[Names] = {
    "id.orig_h": "source.ip",
    "id.orig_p": "source.port",
    "id.resp_h": "destination.ip",
    "id.resp_p": "destination.port",
    "proto": "network.transport",
    "qtype_name": "dns.question.type",
    "rcode_name": "dns.response_code",
    "method": "http.request.method",
    "uri": "url.original",
    "user_agent": "user_agent.original",
    "status_code": "http.response.status_code",
    "referrer": "http.request.referrer",
}

_ZEEK_COLUMNS: Final[Mapping[str, str]] = {
    "conn": "conn_state duration history local_orig local_resp orig_bytes resp_bytes",
    "dce_rpc": "endpoint named_pipe operation rtt",
    "dns": "AA RA RD TC TTLs Z opcode opcode_name qclass qtype rcode rejected rtt",
    "files": "analyzers fuid is_orig source timedout",
    "http": "orig_mime_types origin proxied resp_mime_types status_msg tags trans_depth",
    "kerberos": "cipher error_msg forwardable renewable request_type service success",
    "ntlm": "domainname hostname server_dns_computer_name success",
    "rdp": "client_build client_name keyboard_layout result security_protocol",
    "smb_files": "action fuid name path prev_name size",
    "smb_mapping": "native_file_system path service share_type",
    "ssh": "auth_attempts auth_success client direction hassh hasshServer server",
    "ssl": "cert_chain_fps next_protocol validation_status version",
    "x509": "certificate.issuer certificate.not_valid_after certificate.serial certificate.subject",
}
"""Columns of Zeek's logs without a place in ECS, by log: events have them as `zeek.<log>.<column>`."""
_ZEEK_NAMES: Final[Mapping[str, Names]] = {
    "conn": {"service": "network.protocol"},
    "files": {"filename": "file.name", "mime_type": "file.mime_type"},
    "http": {"host": "url.domain", "username": "user.name"},
    "kerberos": {"client": "user.name"},
    "notice": {"note": "rule.name", "msg": "message"},
    "ntlm": {"username": "user.name"},
    "rdp": {"cookie": "user.name"},
    "ssl": {"server_name": "tls.client.server_name", "subject": "tls.server.subject", "issuer": "tls.server.issuer"},
    "weird": {"name": "rule.name"},
}
ZEEK_LOGS: Final[Mapping[str, Names]] = {
    log: {column: f"zeek.{log}.{column}" for column in _ZEEK_COLUMNS.get(log, "").split()}
    | dict(_ZEEK_NAMES.get(log, {}))
    for log in (*_ZEEK_COLUMNS, "notice", "weird")
}
"""What each log calls what no other log calls so."""

AUDITD: Final[Names] = {
    "exe": "process.executable",
    "comm": "process.name",
    "cwd": "process.working_directory",
    "proctitle": "process.command_line",
    "type": "auditd.record_type",
    "uid": "user.id",
    "auid": "user.audit.id",
    "SYSCALL": "auditd.data.syscall",
    **{
        name: f"auditd.data.{name}"
        for name in ("syscall", "name", "key", "nametype", "path", "mode", "success", "exit", "saddr", "unit", "op")
    },
    **{f"a{number}": f"auditd.data.a{number}" for number in range(10)},
}
"""What auditd writes; the pairs of a record that ECS has no place for keep their own name."""

CLOUDTRAIL: Final[Names] = {
    "eventName": "event.action",
    "eventSource": "event.provider",
    "sourceIPAddress": "source.ip",
    "userAgent": "user_agent.original",
    "awsRegion": "cloud.region",
    "recipientAccountId": "cloud.account.id",
    "errorCode": "aws.cloudtrail.error_code",
    "errorMessage": "aws.cloudtrail.error_message",
    "userIdentity.type": "aws.cloudtrail.user_identity.type",
    "userIdentity.arn": "aws.cloudtrail.user_identity.arn",
    "userIdentity.userName": "user.name",
}

KUBERNETES: Final[Names] = {
    "verb": "kubernetes.audit.verb",
    "objectRef.resource": "kubernetes.audit.objectRef.resource",
    "objectRef.subresource": "kubernetes.audit.objectRef.subresource",
    "objectRef.namespace": "kubernetes.audit.objectRef.namespace",
    "objectRef.name": "kubernetes.audit.objectRef.name",
    "objectRef.apiGroup": "kubernetes.audit.objectRef.apiGroup",
    "responseStatus.code": "kubernetes.audit.responseStatus.code",
    "user.username": "user.name",
}

_BY_CATEGORY: Final[Mapping[str, Names]] = {
    "webserver": WEB,
    "proxy": WEB,
    "dns": NETWORK,
    "firewall": NETWORK,
    "network_connection": NETWORK,
}
_BY_PRODUCT: Final[Mapping[str, tuple[Names, ...]]] = {
    "windows": (HOST, WINDOWS),
    "linux": (HOST,),
    "macos": (HOST,),
    "zeek": (NETWORK, ZEEK),
    "kubernetes": (KUBERNETES,),
}
_BY_SERVICE: Final[Mapping[str, Names]] = {"auditd": AUDITD, "cloudtrail": CLOUDTRAIL}
_HOST_CATEGORIES: Final = ("process_", "file_", "registry_", "image_", "driver_", "pipe_", "dns_query", "create_")

_TABLES: Final = (WEB, HOST, WINDOWS, NETWORK, ZEEK, *ZEEK_LOGS.values(), AUDITD, CLOUDTRAIL, KUBERNETES)


def names_of(category: str, product: str, service: str) -> Names:
    """Join the tables that belong to a log source; its most telling part comes last and wins."""
    tables = [_BY_CATEGORY.get(category, {}), *_BY_PRODUCT.get(product, ()), _BY_SERVICE.get(service, {})]
    if product == "zeek":
        tables.append(ZEEK_LOGS.get(service, {}))
    if category.startswith(_HOST_CATEGORIES):
        tables.insert(0, HOST)
    return {name: to for table in tables for name, to in table.items()}


def aliases() -> dict[str, tuple[str, ...]]:
    """Turn all tables round: the names by which events of a source that nobody mapped may have a field of ECS."""
    found: dict[str, list[str]] = {}
    for table in _TABLES:
        for name, to in table.items():
            if name not in found.setdefault(to, []):
                found[to].append(name)
    return {to: tuple(names) for to, names in found.items()}


def ecs_names() -> frozenset[str]:
    """Collect all names of ECS that the tables lead to."""
    return frozenset(to for table in _TABLES for to in table.values())
