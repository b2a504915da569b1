"""What people type and browsers send is no attack, however much of it is spelled like one."""

from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from sakimori_common.contracts import Event
from sakimori_detector.domain.rules import EventRule
from sakimori_detector.offline import OfflineDetector, load_folder

RULES = Path(__file__).resolve().parents[3] / "rules"

VALUES = """
student union select committee
The union will select delegates from each region
select all from the list; update the order
Western Union selected us in 2019
how to select from two tables in sql
SQL UNION vs UNION ALL difference
drop table napkins and chair covers
insert into a slot
delete from cart
where 1 of 2 is fine
order by 5 pm
order by phone or 1-800-555-0100
group by age having more than one child
Rock 'n' Roll or Jazz
it's 1 or 2, don't know
'quoted' and "double quoted" words
O'Brien's or O'Neil's?
"Tom & Jerry" or "Bugs Bunny"
5' 10" and 180 lbs
size=10 or size=12
a=b and c=d
x > 5 and y < 10
count(*) explained
sleep(8 hours) is healthy
sleep 8 hours; wake up
how to use document.getElementById
JavaScript: The Definitive Guide
javascript:
what does alert mean
function of the heart
I love <3 you
a < b > c
<b>bold</b> and <i>italic</i>
<a href="https://example.com/">link</a>
<p class="intro">Hello</p>
<img src="/cat.png" alt="a cat">
email me at <me@example.com>
onload balancing
online=1
on sale = cheap
style guide: expression of interest
data: the new oil
...
and then.../or not
wait..what
1/2 + 1/4
C:\\Users\\me\\Documents
/etc
docs/readme.md
windows system requirements
var/log sales 2020
cats & dogs
dogs && cats
R&D; marketing
fish | chips
cat; dog; bird
find me; head home; kill time
make date | time | place
; echo of the past
$100 (USD)
$(document).ready
{{ name }}
${name}
#{tag}
100% cotton
50% off & free shipping
C# & .NET
C++ and C
ping me later
NC State & UNC
curl your hair & wash it
AT&T; T-Mobile
true or false; yes or no
(555) 123-4567
2024-01-01--2024-12-31
foo -- bar
https://example.com/search?q=1&lang=en
l'hôtel d'Angleterre
c'est l'été; où est-ce?
Müller & Söhne GmbH
東京都 渋谷区 1-2-3
価格：1,000円（税込）
＜重要＞お知らせ
こんにちは；元気ですか？
Привет; как дела? 1 = 1
is null or void
cast (as actor)
char siu & char kway
convert (int) to string
exec assistant; master of ceremonies
it's > that = this
system (new) exec
include (all)
id; name; date
cat file.txt
sudo apt install nginx
""".strip().split("\n")

AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "curl/8.5.0",
    "python-requests/2.32.3",
]


@pytest.fixture(scope="module")
def detector() -> OfflineDetector:
    loaded = load_folder(RULES, "UTC")
    return OfflineDetector([rule for rule in loaded.rules if isinstance(rule, EventRule)], loaded.world)


def request(number: int, **fields: str) -> Event:
    address = f"2001:db8::{number:x}"
    return Event(f"event-{number}", 1_768_528_800_000_000 + number, "nginx.access", {"source.ip": address, **fields})


def alarms(detector: OfflineDetector, events: list[Event]) -> list[str]:
    return [f"{found.finding.rule_id}: {found.finding.evidence.matched}" for found in detector.feed(events)]


def test_values_of_a_query_string_raise_no_alarm(detector: OfflineDetector) -> None:
    targets = [f"/search?q={encode(value)}" for value in VALUES for encode in (quote, quote_plus)]

    assert alarms(detector, [request(n, **{"url.original": target}) for n, target in enumerate(targets)]) == []


def test_fields_of_a_form_raise_no_alarm(detector: OfflineDetector) -> None:
    events = [
        request(
            10_000 + n, **{"url.original": "/post", "http.request.body.content": f"text={quote_plus(value)}&lang=ja"}
        )
        for n, value in enumerate(VALUES)
    ]

    assert alarms(detector, events) == []


def test_user_agents_raise_no_alarm(detector: OfflineDetector) -> None:
    events = [
        request(20_000 + n, **{"url.original": "/", "user_agent.original": agent}) for n, agent in enumerate(AGENTS)
    ]

    assert alarms(detector, events) == []
