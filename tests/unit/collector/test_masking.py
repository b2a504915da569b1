"""What is masked, and what is not taken for a secret though it looks like one."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sakimori_collector.domain.privacy import CLASSES, Masker, mask_text
from sakimori_common.contracts import Event, FieldValue

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nY2FuYXJ5\ncanary==\n-----END OPENSSH PRIVATE KEY-----"

SECRETS = [
    ("AKIA2CANARY2CANARY22", "***"),
    ("key ghp_canaryCANARYcanaryCANARYcanaryCANARY12 used", "key *** used"),
    ("github_pat_11CANARY0canary_canarycanary", "***"),
    ("glpat-canarycanarycanary", "***"),
    ("xoxb-123456-canary-canary", "***"),
    (f"got {JWT}.", "got ***"),
    (KEY, "***"),
    (KEY.replace("\n", "\\n") + " after", "*** after"),
    ("-----BEGIN RSA PRIVATE KEY----- canary without an end", "***"),
    ("AIzaSyCanaryCanaryCanaryCanaryCanary123", "***"),
    ("sk_live_canarycanarycanary", "***"),
    ("https://hooks.slack.com/services/T0/B0/canary", "https://hooks.slack.com/services/***"),
    ("bot 123456789:AAcanarycanarycanarycanarycanarycan", "bot ***"),
    ("Authorization: Bearer canary", "Authorization: Bearer ***"),
    ('curl -H "Authorization: token canary" x', 'curl -H "Authorization: token ***" x'),
    ("authorization=Basic Y2FuYXJ5OmNhbmFyeQ==", "authorization=Basic ***"),
    ("sent bearer canary0canary0canary0 twice", "sent bearer *** twice"),
    ("sent basic Y2FuYXJ5OmNhbmFyeQ== twice", "sent basic *** twice"),
    ("Cookie: id=canary; theme=canary2", "Cookie: id=***; theme=***"),
    ("Set-Cookie: id=canary; Path=/; HttpOnly", "Set-Cookie: id=***; Path=/; HttpOnly"),
    ("/a;jsessionid=0123456789CANARY", "/a;jsessionid=***"),
    ("GET /?PHPSESSID=canarycanary HTTP/1.1", "GET /?PHPSESSID=*** HTTP/1.1"),
    ("/login?user=hanako&password=canary%21&x=1", "/login?user=hanako&password=***&x=1"),
    ("password: canary, user: hanako", "password: ***, user: hanako"),
    ('{"user":"hanako","password":"can ary","n":1}', '{"user":"hanako","password":"***","n":1}'),
    (r"{\"api_key\": \"canary\", \"n\": 1}", r"{\"api_key\": \"***\", \"n\": 1}"),
    ("{'client_secret': 'canary'}", "{'client_secret': '***'}"),
    ("DB_PASSWORD=canary DB_HOST=db-1", "DB_PASSWORD=*** DB_HOST=db-1"),
    ("userPwd=canary;accessToken=canary2", "userPwd=***;accessToken=***"),
    ("redirect=%2Fa%3Ftoken%3Dcanary", "redirect=%2Fa%3Ftoken%3D***"),
    ("/o?X-Amz-Signature=canarycanarycanary&x=1", "/o?X-Amz-Signature=***&x=1"),
    ("/cb?code=canarycanarycanary&state=1", "/cb?code=***&state=1"),
    ("https://hanako:canary@shop.example/x", "https://hanako:***@shop.example/x"),
    ("postgresql://app:can%40ary@db-1:5432/x", "postgresql://app:***@db-1:5432/x"),
    ("deploy --token canary --dry-run", "deploy --token *** --dry-run"),
    ("mysql -u root -pcanary shop", "mysql -u root -p*** shop"),
    ("sshpass -p canary ssh web-1", "sshpass -p *** ssh web-1"),
    ("curl -u hanako:canary https://shop.example", "curl -u hanako:*** https://shop.example"),
    ("auth: Password mismatch (given password: canary)", "auth: Password mismatch (given password: ***)"),
    ("PWD=canary MYSQL_PWD=canary", "PWD=*** MYSQL_PWD=***"),
    ("net user hanako Canary1 /add", "net user hanako *** /add"),
]
CARDS = [
    ("card 4111111111111111 taken", "card *** taken"),
    ("4111 1111 1111 1111", "***"),
    ("pan=4111-1111-1111-1111;", "pan=***;"),
    ("pan=4111%201111%201111%201111", "pan=***"),
    ("5555555555554444, 2223003122003222", "***, ***"),
    ("3782 822463 10005", "***"),
    ("30569309025904 6011111111111117 3530111333300000 6200000000000005", "*** *** *** ***"),
]
CONTACTS = [
    ("from <hanako@shop.example> to taro.yamada+x@mail.example", "from <***@shop.example> to ***@mail.example"),
    ("/u?mail=hanako%40shop.example&x=1", "/u?mail=***%40shop.example&x=1"),
    ("/u?q=%22hanako%40shop.example", "/u?q=%22***%40shop.example"),
    ("call +81-90-1234-5678 or 090-1234-5678 03-1234-5678", "call *** or *** ***"),
    ("tel=+819012345678&x=1", "tel=***&x=1"),
    ("010-1234-5678, 02-123-4567, 01012345678", "***, ***, ***"),
    ("(212) 555-0100 or 212-555-0100 or +1 212 555 0100.", "*** or *** or ***."),
]
HARMLESS = [
    "Failed password for invalid user admin from 192.0.2.1 port 50022 ssh2",
    "Accepted publickey for hanako from 192.0.2.1 port 50022 ssh2: RSA SHA256:AbCdEfGhIjKlMnOpQrStUvWxYz01234567",
    "Access denied for user 'root'@'192.0.2.1' (using password: YES)",
    "basic authentication is on, bearer authentication is off, no authorization header",
    "bypass=1 compass=2 secretary=x tokens=5 passed=3 password_reset=1",
    "kex: server->client cipher: chacha20-poly1305@openssh.com MAC: <implicit>",
    "Started user@1000.service, getty@tty1.service; /img/logo@2x.png",
    "git@shop.example:repository https://admin@shop.example/",
    "4111111111111112 1234567890123456 0000000000000000",
    "1768528800 1768528800123 1768528800123456 1768528800123456789",
    "2026-01-16T02:00:00+09:00 16/Jan/2026:02:00:00 +0900 Jan 16 02:00:00 +1030 2026",
    "192.0.2.1:50022 -> 198.51.100.7:443 2001:db8::1234:5678 00-00-5E-00-53-01",
    "019bc4d8-3a00-7000-8000-000000000005 550e8400-e29b-41d4-a716-446655440000",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.127 Safari/537.36",
    "bytes=18446744073709551615 duration=4111111111 pid=212555 ports 21255-50100",
    "v2.212.555.0100 file-090-1234-5678-x 01-16-2026 002-01-2026",
    "session opened for user root(uid=0) by (uid=0); ses=4294967295 sid=S-1-5-18",
    "/?x=%23a%3D%40org.example.io.Streams%40read",
    "sudo: ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/usr/bin/id",
    "key=value code=200 auth=PLAIN state=new",
]
ATTACKS = [
    ("password=' OR 1=1 --", "password=' OR 1=1 --"),
    ("password=%27%20OR%201%3D1--", "password=%27%20OR%201%3D1--"),
    ("/l?token=1%20UNION%20SELECT%20x", "/l?token=***%20UNION%20SELECT%20x"),
    ("pass=hunter2'||'1'='1", "pass=***'||'1'='1"),
    ("password=${jndi:ldap://198.51.100.9/a}", "password=${jndi:ldap://198.51.100.9/a}"),
    ('{"password":{"$ne":null}}', '{"password":{"$ne":null}}'),
    ("password[$ne]=1", "password[$ne]=1"),
    ("Cookie: id=<script>alert(1)</script>", "Cookie: id=<script>alert(1)</script>"),
    ("Cookie: a=rO0ABXNyABFqYXZhLnV0aWwu; b=canary", "Cookie: a=rO0ABXNyABFqYXZhLnV0aWwu; b=***"),
    ("/go?to=x%0d%0aSet-Cookie:%20a=b", "/go?to=x%0d%0aSet-Cookie:%20a=b"),
    (
        "/login?next=https://www.shop.example@198-51-100-9.example/",
        "/login?next=https://www.shop.example@198-51-100-9.example/",
    ),
]
MASKER = Masker()


def event(**fields: FieldValue) -> Event:
    names = {name.replace("__", "."): value for name, value in fields.items()}
    return Event("019bc4d8-3a00-7000-8000-000000000005", 0, "test", names)


def changed(masker: Masker | None = None, **fields: FieldValue) -> dict[str, object]:
    made = event(**fields)
    (masker or MASKER).change([made])
    return {name: made.fields[name] for name in made.fields}


@pytest.mark.parametrize(("text", "expected"), SECRETS + CARDS + CONTACTS + ATTACKS)
def test_values_go_and_what_is_around_them_stays(text: str, expected: str) -> None:
    assert mask_text(text) == expected
    assert changed(message=text, other="x") == {"message": expected, "other": "x"}
    assert changed(list=["x", text, 5]) == {"list": ["x", expected, 5]}


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert mask_text(text) == text
    assert changed(message=text) == {"message": text}


@pytest.mark.parametrize(("text", "_"), SECRETS + CARDS + CONTACTS + ATTACKS)
def test_what_is_masked_once_is_not_changed_again(text: str, _: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("password", "can ary", "***"),
        ("db.password", "canary", "***"),
        ("app.clientSecret", "canary", "***"),
        ("aws.cloudtrail.requestParameters.masterUserPassword", "canary", "***"),
        ("http.request.headers.authorization", "Bearer canary", "Bearer ***"),
        ("http.request.headers.cookie", "a=canary; b=canary", "a=***; b=***"),
        ("http.request.headers.x-api-key", "canary", "***"),
        ("pin_token", 123456, "***"),
        ("payment.card_number", 4111111111111111, "***"),
        ("event.duration", 4111111111111111, 4111111111111111),
        ("session_id", "canary", "***"),
        ("zeek.session_id", "CAcJw21BbVedgFnYH3", "CAcJw21BbVedgFnYH3"),
        ("sakimori.auth.method", "password", "password"),
        ("event.action", "token_created", "token_created"),
        ("password", "' OR 1=1 --", "' OR 1=1 --"),
    ],
)
def test_a_field_whose_name_says_secret_is_masked_whole(name: str, value: FieldValue, expected: FieldValue) -> None:
    made = Event("x", 0, "test", {name: value})
    MASKER.change([made])
    assert made.fields[name] == expected


def test_classes_can_be_switched() -> None:
    text = "password=a 4111111111111111 hanako@shop.example 090-1234-5678"
    assert (
        changed(Masker(["secrets"]), m=text)["m"] == "password=*** 4111111111111111 hanako@shop.example 090-1234-5678"
    )
    assert changed(Masker(["cards"]), m=text)["m"] == "password=a *** hanako@shop.example 090-1234-5678"
    assert changed(Masker(["email"]), m=text)["m"] == "password=a 4111111111111111 ***@shop.example 090-1234-5678"
    assert changed(Masker(["phone"]), m=text)["m"] == "password=a 4111111111111111 hanako@shop.example ***"
    assert changed(Masker([]), m=text)["m"] == text


def test_the_subject_of_an_event_keeps_its_address_but_no_secret() -> None:
    text = "hanako@shop.example password=canary"
    assert changed(user__name=text, email__to__address=[text], message=text) == {
        "user.name": "hanako@shop.example password=***",
        "email.to.address": ["hanako@shop.example password=***"],
        "message": "***@shop.example password=***",
    }


def test_only_the_events_with_something_in_them_change_wherever_they_stand() -> None:
    events = [event(message=f"line {n}" + " password=canary" * (n in (0, 7, 8, 99))) for n in range(100)]
    MASKER.change(events)
    assert [n for n, made in enumerate(events) if made.fields["message"] != f"line {n}"] == [0, 7, 8, 99]
    assert "canary" not in json.dumps([made.fields for made in events])


@given(st.lists(st.text(max_size=30), max_size=6), st.sampled_from(SECRETS + CARDS + CONTACTS))
@example(["\0", '"', "\\"], SECRETS[0])
def test_a_secret_between_any_other_values_is_found_and_they_stay(others: list[str], sample: tuple[str, str]) -> None:
    quiet = [text for text in others if mask_text(text) == text.replace("\0", "\\x00")]
    made = Event("x", 0, "test", {**{f"f{n}": text for n, text in enumerate(quiet)}, "message": sample[0]})
    MASKER.change([made])
    assert made.fields["message"] == sample[1]
    assert [made.fields[f"f{n}"] for n in range(len(quiet))] == [text.replace("\0", "\\x00") for text in quiet]


@given(st.text(max_size=200))
def test_any_text_can_be_masked(text: str) -> None:
    mask_text(text)
    made = Event("x", 0, "test", {"message": text, text or "x": text})
    MASKER.change([made])


@pytest.mark.parametrize(
    "piece",
    ["password=", "a@", "0", "4111 ", "eyJ", "Cookie: a=", "://:", "' OR ", "+1 ", '{"token":"', "mysql -p", "%2F"],
)
def test_a_long_value_made_of_beginnings_takes_no_longer_than_it_is(piece: str) -> None:
    mask_text(piece * (65_536 // len(piece)))


def test_every_class_is_on_by_default() -> None:
    assert set(CLASSES) == {"secrets", "cards", "email", "phone"}
    assert (
        changed(m="password=a 4111111111111111 a@b.example +819012345678")["m"] == "password=*** *** ***@b.example ***"
    )
