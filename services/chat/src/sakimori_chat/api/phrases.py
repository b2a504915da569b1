"""The page's words."""

from collections.abc import Mapping
from typing import Final

PHRASES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "Open chat",
        "intro": "No account, no history beyond the last 200 messages.",
        "you": "You are",
        "name": "Name (optional)",
        "message": "Message",
        "placeholder": "Say something",
        "send": "Send",
        "messages": "Messages",
        "empty": "Nothing has been said yet.",
        "blocked": "Posting is paused for {seconds} s.",
        "offline": "The connection is lost; trying again.",
        "failed": "That did not work. Please try again.",
        "too_long": "Too long: at most {limit} characters.",
        "no_script": "Without JavaScript the page does not refresh itself.",
        "refresh": "Load new messages",
    },
    "ja": {
        "title": "オープンチャット",
        "intro": "登録不要。残るのは直近200件のメッセージだけです。",
        "you": "あなたは",
        "name": "名前（任意）",
        "message": "メッセージ",
        "placeholder": "メッセージを入力",
        "send": "送信",
        "messages": "メッセージ",
        "empty": "まだメッセージはありません。",
        "blocked": "投稿は制限中です。あと {seconds} 秒。",
        "offline": "接続が切れました。再接続しています。",
        "failed": "送信できませんでした。もう一度お試しください。",
        "too_long": "長すぎます。{limit} 文字までです。",
        "no_script": "JavaScript が無効のため、自動では更新されません。",
        "refresh": "新しいメッセージを読み込む",
    },
}


def preferred_language(accept_language: str) -> str:
    """Choose between the page's languages by an Accept-Language header (RFC 9110, 12.5.4); English when in doubt."""
    best, best_weight = "en", 0.0
    for choice in accept_language[:200].split(","):
        tag, _, parameter = choice.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if language in PHRASES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
