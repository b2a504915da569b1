"""What Windows events are called: channels as datasets, data as ECS fields, event ids as actions."""

import re
from typing import Final

SERVICES: Final = {
    "microsoft-windows-sysmon/operational": "sysmon",
    "security": "security",
    "system": "system",
    "application": "application",
    "microsoft-windows-powershell/operational": "powershell",
    "powershellcore/operational": "powershell",
    "windows powershell": "powershell-classic",
    "microsoft-windows-windows defender/operational": "windefend",
    "microsoft-windows-taskscheduler/operational": "taskscheduler",
    "microsoft-windows-wmi-activity/operational": "wmi",
    "microsoft-windows-dns-client/operational": "dns-client",
    "dns server": "dns-server",
    "microsoft-windows-dns-server/analytical": "dns-server-analytic",
    "microsoft-windows-ntlm/operational": "ntlm",
    "microsoft-windows-bits-client/operational": "bits-client",
    "microsoft-windows-windows firewall with advanced security/firewall": "firewall-as",
    "microsoft-windows-codeintegrity/operational": "codeintegrity-operational",
    "microsoft-windows-applocker/exe and dll": "applocker",
    "microsoft-windows-applocker/msi and script": "applocker",
    "microsoft-windows-applocker/packaged app-deployment": "applocker",
    "microsoft-windows-applocker/packaged app-execution": "applocker",
    "microsoft-windows-terminalservices-localsessionmanager/operational": "terminalservices-localsessionmanager",
    "microsoft-windows-smbclient/security": "smbclient-security",
    "microsoft-windows-smbclient/connectivity": "smbclient-connectivity",
    "microsoft-windows-smbserver/security": "smbserver-security",
    "microsoft-windows-appxdeploymentserver/operational": "appxdeployment-server",
    "microsoft-windows-appxpackaging/operational": "appxpackaging-om",
    "microsoft-windows-appmodel-runtime/admin": "appmodel-runtime",
    "microsoft-windows-driverframeworks-usermode/operational": "driver-framework",
    "microsoft-windows-printservice/admin": "printservice-admin",
    "microsoft-windows-printservice/operational": "printservice-operational",
    "microsoft-windows-security-mitigations/kernel mode": "security-mitigations",
    "microsoft-windows-security-mitigations/user mode": "security-mitigations",
    "microsoft-windows-ldap-client/debug": "ldap",
    "microsoft-windows-capi2/operational": "capi2",
    "microsoft-windows-lsa/operational": "lsa-server",
    "microsoft-windows-diagnosis-scripted/operational": "diagnosis-scripted",
    "microsoft-windows-shell-core/operational": "shell-core",
    "microsoft-windows-vhdmp/operational": "vhdmp",
    "microsoft-iis-configuration/operational": "iis-configuration",
    "msexchange management": "msexchange-management",
    "openssh/operational": "openssh",
}
"""Sigma's services (taxonomy 2.1.0) by the name of the channel, in lower case."""
_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")


def dataset_of(channel: str) -> str:
    """Name the dataset of a channel: by Sigma's service, else by its own name."""
    lower = channel.lower()
    service = SERVICES.get(lower) or _NOT_NAME.sub("-", lower.removeprefix("microsoft-windows-")[:100]).strip("-")
    return f"windows.{service or 'other'}"


ECS: Final = {
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
    "Protocol": "network.transport",
    "ServiceName": "service.name",
    "ScriptBlockText": "powershell.file.script_block_text",
}
"""Names in `EventData` that the detector's taxonomy has in ECS; the others keep their names (ADR 8)."""
ENDS: Final = {
    "SourceIp": ("source", "SourcePort"),
    "DestinationIp": ("destination", "DestinationPort"),
    "IpAddress": ("source", "IpPort"),
    "SourceAddress": ("source", "SourcePort"),
    "DestAddress": ("destination", "DestPort"),
    "ClientAddress": ("source", "ClientPort"),
}
HOSTNAMES: Final = {"SourceHostname": "source.domain", "DestinationHostname": "destination.domain"}
NUMBERS: Final = frozenset({"process.pid", "process.parent.pid"})

_ACTIONS: Final[dict[str, dict[int, tuple[str, str, str]]]] = {
    "windows.security": {
        1102: ("configuration", "audit-log-cleared", "success"),
        4624: ("authentication", "logged-in", "success"),
        4625: ("authentication", "logon-failed", "failure"),
        4634: ("authentication", "logged-out", "success"),
        4647: ("authentication", "logged-out", "success"),
        4648: ("authentication", "logged-in-explicit", "success"),
        4657: ("registry", "registry-value-modified", "success"),
        4663: ("file", "object-accessed", "success"),
        4672: ("iam", "logged-in-special", "success"),
        4688: ("process", "created-process", "success"),
        4689: ("process", "exited-process", "success"),
        4697: ("configuration", "service-installed", "success"),
        4698: ("configuration", "scheduled-task-created", "success"),
        4699: ("configuration", "scheduled-task-deleted", "success"),
        4702: ("configuration", "scheduled-task-updated", "success"),
        4719: ("configuration", "changed-audit-config", "success"),
        4720: ("iam", "added-user-account", "success"),
        4722: ("iam", "enabled-user-account", "success"),
        4723: ("iam", "changed-password", "success"),
        4724: ("iam", "reset-password", "success"),
        4725: ("iam", "disabled-user-account", "success"),
        4726: ("iam", "deleted-user-account", "success"),
        4728: ("iam", "added-member-to-group", "success"),
        4732: ("iam", "added-member-to-group", "success"),
        4738: ("iam", "modified-user-account", "success"),
        4740: ("iam", "locked-out-user-account", "success"),
        4756: ("iam", "added-member-to-group", "success"),
        4767: ("iam", "unlocked-user-account", "success"),
        4768: ("authentication", "kerberos-authentication-ticket-requested", "unknown"),
        4769: ("authentication", "kerberos-service-ticket-requested", "unknown"),
        4771: ("authentication", "kerberos-preauth-failed", "failure"),
        4776: ("authentication", "credential-validated", "unknown"),
        5140: ("file", "network-share-object-accessed", "success"),
        5145: ("file", "network-share-object-access-checked", "success"),
        5156: ("network", "windows-firewall-connection", "success"),
        5157: ("network", "windows-firewall-connection-blocked", "failure"),
    },
    "windows.system": {
        104: ("configuration", "audit-log-cleared", "success"),
        7045: ("configuration", "service-installed", "success"),
    },
    "windows.sysmon": {
        1: ("process", "process-created", "success"),
        2: ("file", "file-creation-time-changed", "success"),
        3: ("network", "network-connection", "success"),
        5: ("process", "process-terminated", "success"),
        6: ("driver", "driver-loaded", "success"),
        7: ("library", "image-loaded", "success"),
        8: ("process", "create-remote-thread", "success"),
        9: ("process", "raw-access-read", "success"),
        10: ("process", "process-accessed", "success"),
        11: ("file", "file-created", "success"),
        12: ("registry", "registry-object-added-or-deleted", "success"),
        13: ("registry", "registry-value-set", "success"),
        14: ("registry", "registry-object-renamed", "success"),
        15: ("file", "file-stream-created", "success"),
        17: ("file", "pipe-created", "success"),
        18: ("file", "pipe-connected", "success"),
        22: ("network", "dns-query", "success"),
        23: ("file", "file-deleted", "success"),
        25: ("process", "process-image-changed", "success"),
        26: ("file", "file-delete-detected", "success"),
    },
    "windows.powershell": {
        4103: ("process", "module-logged", "success"),
        4104: ("process", "script-block-logged", "success"),
    },
    "windows.windefend": {
        1006: ("malware", "malware-detected", "success"),
        1116: ("malware", "malware-detected", "success"),
        1117: ("malware", "malware-action-taken", "success"),
    },
}
"""`event.category`, `event.action` (Winlogbeat's words) and `event.outcome`."""


def meaning_of(dataset: str, code: int) -> tuple[str, str | None, str | None]:
    """Say category, action and outcome of an event."""
    return _ACTIONS.get(dataset, {}).get(code, ("host", None, None))
