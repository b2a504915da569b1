"""Interfaces of DCE/RPC that tell what somebody does to a Windows host, and their operations by number.

Numbers and names are those of Microsoft's open specifications: MS-SCMR, MS-RRP, MS-SAMR, MS-LSAD/LSAT, MS-TSCH,
MS-SRVS, MS-WKST, MS-DRSR, MS-NRPC, MS-RPRN, MS-PAR, MS-EFSR, MS-DCOM, MS-WMI, MS-EVEN, MS-RSP, MS-DFSNM, MS-FSRVP,
MS-ICPR.
"""

from typing import Final, NamedTuple


class Interface(NamedTuple):
    """An interface by the name that tools give it, and its operations."""

    name: str
    operations: dict[int, str]


def _numbered(names: str) -> dict[int, str]:
    """Read `number name` pairs."""
    words = names.split()
    return {int(number): name for number, name in zip(words[::2], words[1::2], strict=True)}


_SVCCTL: Final = _numbered(
    "0 CloseServiceHandle 1 ControlService 2 DeleteService 3 LockServiceDatabase 6 QueryServiceStatus "
    "11 ChangeServiceConfigW 12 CreateServiceW 13 EnumDependentServicesW 14 EnumServicesStatusW 15 OpenSCManagerW "
    "16 OpenServiceW 17 QueryServiceConfigW 19 StartServiceW 23 ChangeServiceConfigA 24 CreateServiceA "
    "26 EnumServicesStatusA 27 OpenSCManagerA 28 OpenServiceA 31 StartServiceA 36 ChangeServiceConfig2A "
    "37 ChangeServiceConfig2W 39 QueryServiceConfig2W 40 QueryServiceStatusEx 42 EnumServicesStatusExW "
    "44 CreateServiceWOW64A 45 CreateServiceWOW64W 60 CreateWowService 64 OpenSCManager2"
)
_WINREG: Final = _numbered(
    "0 OpenClassesRoot 1 OpenCurrentUser 2 OpenLocalMachine 4 OpenUsers 5 CloseKey 6 CreateKey 7 DeleteKey "
    "8 DeleteValue 9 EnumKey 10 EnumValue 13 LoadKey 15 OpenKey 16 QueryInfoKey 17 QueryValue 19 RestoreKey 20 SaveKey "
    "22 SetValue 26 GetVersion 31 SaveKeyEx"
)
_SAMR: Final = _numbered(
    "0 Connect 1 CloseHandle 5 LookupDomain 6 EnumerateDomains 7 OpenDomain 8 QueryInformationDomain 10 CreateGroup "
    "11 EnumerateGroups 12 CreateUser 13 EnumerateUsers 14 CreateAlias 15 EnumerateAliases 16 GetAliasMembership "
    "17 LookupNames 18 LookupIds 19 OpenGroup 22 AddMemberToGroup 25 GetMembersInGroup 27 OpenAlias "
    "31 AddMemberToAlias 33 GetMembersInAlias 34 OpenUser 35 DeleteUser 36 QueryInformationUser 37 SetInformationUser "
    "38 ChangePasswordUser 39 GetGroupsForUser 40 QueryDisplayInformation 50 CreateUser2 "
    "55 UnicodeChangePasswordUser2 57 Connect2 58 SetInformationUser2 62 Connect4 64 Connect5"
)
_LSARPC: Final = _numbered(
    "0 Close 6 OpenPolicy 7 QueryInformationPolicy 11 EnumerateAccounts 14 LookupNames 15 LookupSids 28 OpenSecret "
    "30 QuerySecret 37 AddAccountRights 42 StorePrivateData 43 RetrievePrivateData 44 OpenPolicy2 45 GetUserName "
    "46 QueryInformationPolicy2 57 LookupSids2 58 LookupNames2 68 LookupNames3 76 LookupSids3 77 LookupNames4"
)
_SRVSVC: Final = _numbered(
    "8 NetrConnectionEnum 9 NetrFileEnum 12 NetrSessionEnum 13 NetrSessionDel 14 NetrShareAdd 15 NetrShareEnum "
    "16 NetrShareGetInfo 18 NetrShareDel 21 NetrServerGetInfo 28 NetrRemoteTOD 31 NetprPathCanonicalize"
)
_TASKS: Final = _numbered(
    "0 SchRpcHighestVersion 1 SchRpcRegisterTask 2 SchRpcRetrieveTask 3 SchRpcCreateFolder 6 SchRpcEnumFolders "
    "7 SchRpcEnumTasks 12 SchRpcRun 13 SchRpcDelete 14 SchRpcRename"
)
_DRSUAPI: Final = _numbered(
    "0 DRSBind 1 DRSUnbind 2 DRSReplicaSync 3 DRSGetNCChanges 5 DRSReplicaAdd 8 DRSVerifyNames 12 DRSCrackNames "
    "16 DRSDomainControllerInfo 17 DRSAddEntry"
)
_NETLOGON: Final = _numbered(
    "2 NetrLogonSamLogon 4 NetrServerReqChallenge 5 NetrServerAuthenticate 6 NetrServerPasswordSet "
    "15 NetrServerAuthenticate2 20 DsrGetDcName 26 NetrServerAuthenticate3 28 DsrGetSiteName 29 NetrLogonGetDomainInfo "
    "30 NetrServerPasswordSet2 34 DsrGetDcNameEx2 39 NetrLogonSamLogonEx 40 DsrEnumerateDomainTrusts "
    "45 NetrLogonSamLogonWithFlags"
)
_SPOOLSS: Final = _numbered(
    "0 RpcEnumPrinters 1 RpcOpenPrinter 9 RpcAddPrinterDriver 29 RpcClosePrinter "
    "62 RpcRemoteFindFirstPrinterChangeNotification 65 RpcRemoteFindFirstPrinterChangeNotificationEx "
    "69 RpcOpenPrinterEx 70 RpcAddPrinterEx 89 RpcAddPrinterDriverEx"
)
_EFSRPC: Final = _numbered(
    "0 EfsRpcOpenFileRaw 4 EfsRpcEncryptFileSrv 5 EfsRpcDecryptFileSrv 6 EfsRpcQueryUsersOnFile "
    "7 EfsRpcQueryRecoveryAgents 8 EfsRpcRemoveUsersFromFile 9 EfsRpcAddUsersToFile "
    "13 EfsRpcDuplicateEncryptionInfoFile"
)
_WBEM: Final = _numbered(
    "3 OpenNamespace 6 GetObject 8 PutClass 10 DeleteClass 14 PutInstance 16 DeleteInstance 18 CreateInstanceEnum "
    "20 ExecQuery 21 ExecQueryAsync 22 ExecNotificationQuery 24 ExecMethod 25 ExecMethodAsync"
)
_REMOTE_UNKNOWN: Final = _numbered("3 RemQueryInterface 4 RemAddRef 5 RemRelease")

INTERFACES: Final = {
    "367abb81-9844-35f1-ad32-98f038001003": Interface("svcctl", _SVCCTL),
    "338cd001-2244-31f1-aaaa-900038001003": Interface("winreg", _WINREG),
    "12345778-1234-abcd-ef00-0123456789ac": Interface("samr", _SAMR),
    "12345778-1234-abcd-ef00-0123456789ab": Interface("lsarpc", _LSARPC),
    "4b324fc8-1670-01d3-1278-5a47bf6ee188": Interface("srvsvc", _SRVSVC),
    "6bffd098-a112-3610-9833-46c3f87e345a": Interface(
        "wkssvc", _numbered("0 NetrWkstaGetInfo 2 NetrWkstaUserEnum 8 NetrUseAdd 20 NetrGetJoinInformation")
    ),
    "1ff70682-0a51-30e8-076d-740be8cee98b": Interface(
        "atsvc", _numbered("0 NetrJobAdd 1 NetrJobDel 2 NetrJobEnum 3 NetrJobGetInfo")
    ),
    "378e52b0-c0a9-11cf-822d-00aa0051e40f": Interface(
        "sasec", _numbered("0 SASetAccountInformation 1 SASetNSAccountInformation")
    ),
    "86d35949-83c9-4044-b424-db363231fd0c": Interface("ITaskSchedulerService", _TASKS),
    "e1af8308-5d1f-11c9-91a4-08002b14a0fa": Interface("epmapper", _numbered("2 ept_lookup 3 ept_map")),
    "e3514235-4b06-11d1-ab04-00c04fc2dcd2": Interface("drsuapi", _DRSUAPI),
    "12345678-1234-abcd-ef00-01234567cffb": Interface("netlogon", _NETLOGON),
    "12345678-1234-abcd-ef00-0123456789ab": Interface("spoolss", _SPOOLSS),
    "76f03f96-cdfd-44fc-a22c-64950a001209": Interface("IRemoteWinspool", _numbered("39 RpcAsyncAddPrinterDriver")),
    "c681d488-d850-11d0-8c52-00c04fd90f7e": Interface("efsrpc", _EFSRPC),
    "df1941c5-fe89-4e79-bf10-463657acf44d": Interface("efsrpc", _EFSRPC),
    "4fc742e0-4a10-11cf-8273-00aa004ae673": Interface(
        "netdfs", _numbered("12 NetrDfsAddStdRoot 13 NetrDfsRemoveStdRoot 15 NetrDfsAddStdRootForced")
    ),
    "a8e0653c-2744-4389-a61d-7373df8b2292": Interface(
        "fsrvp", _numbered("0 GetSupportedVersion 8 IsPathSupported 9 IsPathShadowCopied")
    ),
    "82273fdc-e32a-18c3-3f78-827929dc23ea": Interface(
        "eventlog", _numbered("0 ElfrClearELFW 7 ElfrOpenELW 10 ElfrReadELW 12 ElfrClearELFA")
    ),
    "f6beaff7-1e19-4fbb-9f8f-b89e2018337c": Interface("eventlog6", _numbered("6 EvtRpcClearLog")),
    "894de0c0-0d55-11d3-a322-00c04fa321a1": Interface(
        "initshutdown", _numbered("0 BaseInitiateShutdown 1 BaseAbortShutdown 2 BaseInitiateShutdownEx")
    ),
    "91ae6020-9e3c-11cf-8d7c-00aa00c091be": Interface("icertpassage", _numbered("0 CertServerRequest")),
    "50abc2a4-574d-40b3-9d66-ee4fd5fba076": Interface("dnsserver", _numbered("0 R_DnssrvOperation")),
    "3dde7c30-165d-11d1-ab8f-00805f14db40": Interface("backupkey", _numbered("0 BackuprKey")),
    "99fcfec4-5260-101b-bbcb-00aa0021347a": Interface(
        "IOXIDResolver",
        _numbered("0 ResolveOxid 1 SimplePing 2 ComplexPing 3 ServerAlive 4 ResolveOxid2 5 ServerAlive2"),
    ),
    "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57": Interface("IActivation", _numbered("0 RemoteActivation")),
    "000001a0-0000-0000-c000-000000000046": Interface(
        "IRemoteSCMActivator", _numbered("3 RemoteGetClassObject 4 RemoteCreateInstance")
    ),
    "00000131-0000-0000-c000-000000000046": Interface("IRemUnknown", _REMOTE_UNKNOWN),
    "00000143-0000-0000-c000-000000000046": Interface("IRemUnknown2", _REMOTE_UNKNOWN),
    "f309ad18-d86a-11d0-a075-00c04fb68820": Interface(
        "IWbemLevel1Login", _numbered("3 EstablishPosition 4 RequestChallenge 5 WBEMLogin 6 NTLMLogin")
    ),
    "d4781cd6-e5d3-44df-ad94-930efe48a887": Interface("IWbemLoginClientID", _numbered("3 SetClientInfo")),
    "9556dc99-828c-11cf-a37e-00aa003240c7": Interface("IWbemServices", _WBEM),
    "1c1c45ee-4395-11d2-b60b-00104b703efd": Interface("IWbemFetchSmartEnum", _numbered("3 GetSmartEnum")),
    "423ec01e-2e35-11d2-b604-00104b703efd": Interface("IWbemWCOSmartEnum", _numbered("3 Next")),
    "00020400-0000-0000-c000-000000000046": Interface("IDispatch", _numbered("5 GetIDsOfNames 6 Invoke")),
    "dea00001-6c97-11d1-8271-00a02442df7d": Interface(
        "PNIO-Device", _numbered("0 Connect 1 Release 2 Read 3 Write 4 Control 5 ReadImplicit")
    ),
}
"""By UUID in lower case."""
