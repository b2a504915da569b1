"""What auditd's record types are about (audit-userspace, lib/msg_typetab.h; grouped as Elastic's auditbeat does)."""

from typing import Final

_TYPES: Final = {
    "authentication": (
        "USER_AUTH USER_ACCT USER_LOGIN LOGIN GRP_AUTH CHALLENGE ANOM_LOGIN_FAILURES ANOM_LOGIN_TIME "
        "ANOM_LOGIN_SESSIONS ANOM_LOGIN_ACCT ANOM_LOGIN_LOCATION RESP_ACCT_LOCK RESP_ACCT_LOCK_TIMED"
    ),
    "session": "USER_START USER_END USER_LOGOUT CRED_ACQ CRED_DISP CRED_REFR",
    "iam": (
        "ADD_USER DEL_USER ADD_GROUP DEL_GROUP USER_MGMT GRP_MGMT GRP_CHAUTHTOK USER_CHAUTHTOK ACCT_LOCK ACCT_UNLOCK "
        "ROLE_ASSIGN ROLE_REMOVE ROLE_MODIFY USER_ROLE_CHANGE CHGRP_ID CHUSER_ID"
    ),
    "process": (
        "SYSCALL EXECVE PROCTITLE CWD USER_CMD USER_TTY TTY OBJ_PID ANOM_ABEND ANOM_EXEC SECCOMP BPRM_FCAPS CAPSET "
        "KERN_MODULE MMAP"
    ),
    "file": "PATH ANOM_LINK ANOM_MK_EXEC ANOM_MOD_ACCT FANOTIFY INTEGRITY_DATA INTEGRITY_HASH INTEGRITY_METADATA",
    "network": "SOCKADDR SOCKETCALL NETFILTER_PKT NETFILTER_CFG ANOM_PROMISCUOUS MAC_IPSEC_EVENT CRYPTO_SESSION",
    "configuration": (
        "CONFIG_CHANGE DAEMON_CONFIG USYS_CONFIG MAC_CONFIG_CHANGE MAC_POLICY_LOAD MAC_STATUS FEATURE_CHANGE "
        "TIME_ADJNTPVAL TIME_INJOFFSET"
    ),
}
CATEGORIES: Final[dict[str, str]] = {name: category for category, names in _TYPES.items() for name in names.split()}
"""Record type to `event.category`; others are `host` (the machine, its services, SELinux)."""

LOGINS: Final = frozenset(
    {"USER_AUTH", "USER_ACCT", "USER_LOGIN", "USER_ERR", "CRED_ACQ", "USER_START", "USER_CHAUTHTOK"}
)
"""Those that name who logs in."""
