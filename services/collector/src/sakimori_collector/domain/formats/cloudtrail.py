"""AWS CloudTrail: one record a line, or a file `{"Records": [...]}` as it lies in the bucket.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
What ECS has no place for keeps CloudTrail's own name (`requestParameters.bucketName`), as public Sigma rules read it.
"""

from typing import Any, Final

from sakimori_collector.domain.ends import put_end
from sakimori_collector.domain.flat import Fields, json_text, put_unclaimed, rename
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.json_kind import JsonKind, Object, nested
from sakimori_collector.domain.timestamps import time_of

_NAMED: Final = {
    "eventName": "event.action",
    "eventSource": "event.provider",
    "userAgent": "user_agent.original",
    "awsRegion": "cloud.region",
    "recipientAccountId": "cloud.account.id",
    "errorCode": "aws.cloudtrail.error_code",
    "errorMessage": "aws.cloudtrail.error_message",
    "userIdentity.type": "aws.cloudtrail.user_identity.type",
    "userIdentity.arn": "aws.cloudtrail.user_identity.arn",
    "userIdentity.userName": "user.name",
    "userIdentity.principalId": "user.id",
    "requestID": "aws.cloudtrail.request_id",
    "eventID": "aws.cloudtrail.event_id",
}
"""The names that the detector's taxonomy leads to, and the ids."""
_SIGN_INS: Final = frozenset({"ConsoleLogin", "SwitchRole", "GetSigninToken", "GetSessionToken", "GetFederationToken"})
_TEXTS: Final = ("requestParameters", "responseElements")
"""Objects of any shape: kept whole, too, for rules that look for a word in them."""


def _is_meant(read: Object, path: str) -> bool:
    return "eventName" in read and "eventSource" in read


def _read(read: Object, reference: Reference) -> list[Record]:
    time = time_of(read.get("eventTime"), reference)
    action = read.get("eventName")
    fields: Fields = {"event.category": _category(action, read.get("eventSource"))}
    put_end(fields, "source", read.get("sourceIPAddress"))
    put_unclaimed(fields, {name: value for name, value in read.items() if name not in {"eventTime", "sourceIPAddress"}})
    for name in _TEXTS:
        if isinstance(read.get(name), dict) and read[name]:
            fields[name] = json_text(read[name])
    rename(fields, _NAMED)
    if "user.name" not in fields:
        _put_assumed_user(fields, read)
    failed = (
        "errorCode" in read or "errorMessage" in read or nested(read, "responseElements", "ConsoleLogin") == "Failure"
    )
    fields["event.outcome"] = "failure" if failed else "success"
    return [(time, fields)]


def _put_assumed_user(fields: Fields, read: Object) -> None:
    """Who acts in a role is named by the session, at the end of the ARN; services are named as such."""
    arn = nested(read, "userIdentity", "arn")
    if isinstance(arn, str) and ":assumed-role/" in arn:
        fields["user.name"] = arn.rpartition("/")[2]
    elif isinstance(nested(read, "userIdentity", "invokedBy"), str):
        fields["user.name"] = nested(read, "userIdentity", "invokedBy")
    elif nested(read, "userIdentity", "type") == "Root":
        fields["user.name"] = "root"


def _category(action: object, provider: object) -> str:
    if isinstance(action, str) and (action in _SIGN_INS or action.startswith("AssumeRole")):
        return "authentication"
    return "iam" if provider == "iam.amazonaws.com" else "api"


def _is_file(read: Object, path: str) -> bool:
    records = read["Records"]
    return isinstance(records, list) and all(isinstance(each, dict) and "eventName" in each for each in records[:1])


def _read_file(read: Object, reference: Reference) -> list[Record]:
    """Read each record of the list; one that is none rejects them all, as half a line must not be lost."""
    records: list[Record] = []
    each: Any
    for number, each in enumerate(read["Records"]):
        if not (isinstance(each, dict) and _is_meant(each, "")):
            raise LineRejected(f"record {number} is none of CloudTrail")
        records += _read(each, reference)
    return records


CLOUDTRAIL: Final = JsonKind("aws.cloudtrail", "eventSource", _is_meant, _read)
CLOUDTRAIL_FILE: Final = JsonKind("aws.cloudtrail", "Records", _is_file, _read_file)
