"""What each channel shows of a finding."""

from sakimori_common.contracts import Severity
from sakimori_common.testing.samples import BRUTE_FORCE, finding
from sakimori_notifier.domain.notice import console_text, discord_body, email, slack_body

TROLL = "@everyone @here <@123> <@&9> <!channel> <https://evil.example|click>"


def test_the_console_shows_the_whole_alert_in_a_box() -> None:
    assert console_text(BRUTE_FORCE, "ja") == (
        "============================================================\n"
        "🚨 セキュリティアラート [HIGH]\n"
        "ID: 0b7f4e52-3c1d-8a60-9c55-2f60f1f3a001\n"
        "時刻: 2026-01-16T02:04:00.000Z\n"
        "タイプ: brute_force_attack\n"
        "メッセージ: ブルートフォース攻撃を検出: 203.0.113.42\n"
        "詳細:\n"
        "  ip: 203.0.113.42\n"
        "  username: admin\n"
        "  failed_attempts: 5\n"
        "理由: A guessed password gives the attacker this account.\n"
        "対応: Check for a success after the failures; lock the account.\n"
        "============================================================\n"
    )


def test_discord_is_told_to_ping_nobody_and_gets_no_mention_to_ping() -> None:
    body = discord_body(finding(message=TROLL), "en")
    assert body["allowed_mentions"] == {"parse": []}
    assert "@everyone" not in body["content"]
    assert "@here" not in body["content"]


def test_discord_never_gets_more_than_it_takes() -> None:
    huge = finding(details={f"field{n}": "x" * 5000 for n in range(50)}, why="y" * 9000)
    assert len(discord_body(huge, "en")["content"]) == 2000


def test_slack_markup_in_what_a_user_wrote_stays_text() -> None:
    text = slack_body(finding(message=TROLL), "en")["text"]
    assert "<!channel>" not in text
    assert "&lt;!channel&gt;" in text
    assert "<https://evil.example|click>" not in text


def test_a_line_break_in_what_a_user_wrote_cannot_add_a_mail_header() -> None:
    mail = email(finding(message="hello\r\nBcc: everyone@example.org"), "en", "soc@example.org", ["a@example.org"])
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[HIGH] hello  Bcc: everyone@example.org"
    assert mail["To"] == "a@example.org"


def test_terminal_escapes_in_what_a_user_wrote_do_not_reach_the_console() -> None:
    assert "\x1b" not in console_text(finding(message="\x1b[2Jgone", severity=Severity.LOW), "en")
