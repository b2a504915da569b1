"""The page's words, in every language it speaks."""

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "ja": "日本語", "ko": "한국어"}
"""The page's languages and what each calls itself."""

_ENGLISH: Final[Mapping[str, str]] = {
    "title": "Open chat",
    "intro": "No account. Only the last 200 messages are kept.",
    "skip": "Skip to the message field",
    "language": "Language",
    "rooms": "Rooms",
    "lobby": "Lobby",
    "locked": "locked",
    "bot": "Bot",
    "you": "You are",
    "name": "Name (optional)",
    "message": "Message",
    "placeholder": "Say something",
    "send": "Send",
    "messages": "Messages",
    "empty": "Nothing has been said yet.",
    "newer": "New messages",
    "seconds": "{n} s",
    "blocked": "Posting is paused for {time}.",
    "blocked_over": "You can post again.",
    "room_locked": "This room is locked: you can read here, but nobody can post.",
    "room_open": "The room is open again.",
    "room_slow": "Slow mode: one message every {time}.",
    "room_gone": "This room has been closed.",
    "offline": "The connection is lost; trying again.",
    "online": "Connected again.",
    "uncertain": "The connection broke while sending. If your message does not show up, send it again.",
    "no_script": "Without JavaScript the page does not refresh itself.",
    "refresh": "Load new messages",
    "back": "Back to the chat",
    "failed": "That did not work. Please try again.",
    "refused_empty": "Write something that can be seen.",
    "refused_too_long": "Too long: at most {limit} characters.",
    "refused_words": "A word in it is not welcome in this room.",
    "refused_links": "Links like this are not welcome in this room.",
    "refused_duplicate": "That has just been said. Please say something else.",
    "refused_spam": "That looks like spam. Please put it differently.",
    "refused_locked": "This room is locked.",
    "refused_slow": "Slow mode: you can post again in {time}.",
    "refused_rate_limited": "Too many messages in a short time.",
    "refused_blocked": "You are banned for a while.",
    "refused_blocked_by_decision": "Posting from here is blocked for a while.",
    "refused_high_risk_block": "Posting from here is blocked because of earlier behaviour.",
    "refused_identity_unknown": "Your identity was not known any more; you have a new one. Please send it again.",
    "refused_name_not_allowed": "That name cannot be used here. Please choose another one.",
    "refused_too_many_identities": "Too many newcomers from your network. Please wait.",
    "refused_too_many_connections": "Too many connections from your network.",
    "refused_too_many_requests": "Too many messages from your network at once. Please wait a moment.",
    "refused_origin_refused": "That does not come from this page.",
    "refused_csrf_failed": "The page is too old. Load it again and send the message once more.",
    "refused_system_unavailable": "The chat cannot be reached right now. It comes back by itself.",
    "refused_no_such_room": "There is no such room.",
    "refused_body_too_large": "That is far too long.",
    "refused_bad_request": "That could not be understood.",
}

_JAPANESE: Final[Mapping[str, str]] = {
    "title": "オープンチャット",
    "intro": "登録不要。残るのは直近200件のメッセージだけです。",
    "skip": "メッセージ入力欄へ移動",
    "language": "言語",
    "rooms": "ルーム",
    "lobby": "ロビー",
    "locked": "ロック中",
    "bot": "ボット",
    "you": "あなたは",
    "name": "名前（任意）",
    "message": "メッセージ",
    "placeholder": "メッセージを入力",
    "send": "送信",
    "messages": "メッセージ",
    "empty": "まだメッセージはありません。",
    "newer": "新しいメッセージ",
    "seconds": "{n} 秒",
    "blocked": "投稿は制限中です。あと {time}。",
    "blocked_over": "また投稿できます。",
    "room_locked": "このルームはロックされています。読むことはできますが、投稿はできません。",
    "room_open": "ルームのロックが解除されました。",
    "room_slow": "低速モード：投稿は {time} に1回までです。",
    "room_gone": "このルームは閉鎖されました。",
    "offline": "接続が切れました。再接続しています。",
    "online": "再接続しました。",
    "uncertain": "送信中に接続が切れました。メッセージが表示されない場合は、もう一度送信してください。",
    "no_script": "JavaScript が無効のため、自動では更新されません。",
    "refresh": "新しいメッセージを読み込む",
    "back": "チャットに戻る",
    "failed": "送信できませんでした。もう一度お試しください。",
    "refused_empty": "表示できる文字を入力してください。",
    "refused_too_long": "長すぎます。{limit} 文字までです。",
    "refused_words": "このルームでは使えない言葉が含まれています。",
    "refused_links": "このルームではそのようなリンクは投稿できません。",
    "refused_duplicate": "同じ内容が投稿されたばかりです。別の内容にしてください。",
    "refused_spam": "スパムと判断されました。表現を変えてください。",
    "refused_locked": "このルームはロックされています。",
    "refused_slow": "低速モードです。あと {time} で投稿できます。",
    "refused_rate_limited": "短時間に投稿しすぎています。",
    "refused_blocked": "一時的に投稿が禁止されています。",
    "refused_blocked_by_decision": "現在、この環境からの投稿は一時的に制限されています。",
    "refused_high_risk_block": "これまでの行動により、この環境からの投稿は制限されています。",
    "refused_identity_unknown": "以前の識別情報が無効になり、新しいものを発行しました。もう一度送信してください。",
    "refused_name_not_allowed": "この名前は使えません。別の名前にしてください。",
    "refused_too_many_identities": "お使いのネットワークからの新規参加が多すぎます。しばらくお待ちください。",
    "refused_too_many_connections": "お使いのネットワークからの接続が多すぎます。",
    "refused_too_many_requests": "お使いのネットワークからの投稿が集中しています。少しお待ちください。",
    "refused_origin_refused": "このページから送信されたものではありません。",
    "refused_csrf_failed": "ページが古くなっています。再読み込みして、もう一度送信してください。",
    "refused_system_unavailable": "現在チャットに接続できません。自動的に復旧します。",
    "refused_no_such_room": "そのルームはありません。",
    "refused_body_too_large": "長すぎます。",
    "refused_bad_request": "内容を読み取れませんでした。",
}

_KOREAN: Final[Mapping[str, str]] = {
    "title": "오픈 채팅",
    "intro": "가입이 필요 없습니다. 최근 메시지 200개만 보관됩니다.",
    "skip": "메시지 입력란으로 이동",
    "language": "언어",
    "rooms": "방",
    "lobby": "로비",
    "locked": "잠김",
    "bot": "봇",
    "you": "나",
    "name": "이름 (선택)",
    "message": "메시지",
    "placeholder": "메시지를 입력하세요",
    "send": "보내기",
    "messages": "메시지",
    "empty": "아직 메시지가 없습니다.",
    "newer": "새 메시지",
    "seconds": "{n}초",
    "blocked": "글쓰기가 제한되었습니다. 남은 시간: {time}.",
    "blocked_over": "다시 글을 쓸 수 있습니다.",
    "room_locked": "이 방은 잠겨 있습니다. 읽을 수는 있지만 글은 쓸 수 없습니다.",
    "room_open": "방의 잠금이 풀렸습니다.",
    "room_slow": "저속 모드: {time}에 한 번만 쓸 수 있습니다.",
    "room_gone": "이 방은 닫혔습니다.",
    "offline": "연결이 끊겼습니다. 다시 연결하는 중입니다.",
    "online": "다시 연결되었습니다.",
    "uncertain": "보내는 중에 연결이 끊겼습니다. 메시지가 보이지 않으면 다시 보내 주세요.",
    "no_script": "JavaScript가 꺼져 있어 자동으로 새로 고쳐지지 않습니다.",
    "refresh": "새 메시지 불러오기",
    "back": "채팅으로 돌아가기",
    "failed": "보내지 못했습니다. 다시 시도해 주세요.",
    "refused_empty": "눈에 보이는 글자를 입력해 주세요.",
    "refused_too_long": "너무 깁니다. 최대 {limit}자까지 쓸 수 있습니다.",
    "refused_words": "이 방에서 쓸 수 없는 말이 들어 있습니다.",
    "refused_links": "이 방에는 이런 링크를 올릴 수 없습니다.",
    "refused_duplicate": "방금 올라온 내용과 같습니다. 다른 내용을 써 주세요.",
    "refused_spam": "스팸으로 보입니다. 다르게 표현해 주세요.",
    "refused_locked": "이 방은 잠겨 있습니다.",
    "refused_slow": "저속 모드입니다. {time} 후에 다시 쓸 수 있습니다.",
    "refused_rate_limited": "짧은 시간에 너무 많은 메시지를 보냈습니다.",
    "refused_blocked": "일시적으로 글쓰기가 금지되었습니다.",
    "refused_blocked_by_decision": "현재 이 환경에서의 글쓰기가 일시적으로 제한되었습니다.",
    "refused_high_risk_block": "이전 활동 때문에 이 환경에서의 글쓰기가 제한되었습니다.",
    "refused_identity_unknown": "이전 식별 정보를 더 이상 쓸 수 없어 새로 발급했습니다. 다시 보내 주세요.",
    "refused_name_not_allowed": "이 이름은 쓸 수 없습니다. 다른 이름을 골라 주세요.",
    "refused_too_many_identities": "같은 네트워크에서 새로 들어온 사람이 너무 많습니다. 잠시 기다려 주세요.",
    "refused_too_many_connections": "같은 네트워크에서 들어온 연결이 너무 많습니다.",
    "refused_too_many_requests": "같은 네트워크에서 메시지가 한꺼번에 너무 많이 왔습니다. 잠시 기다려 주세요.",
    "refused_origin_refused": "이 페이지에서 보낸 것이 아닙니다.",
    "refused_csrf_failed": "페이지가 오래되었습니다. 새로 고친 뒤 다시 보내 주세요.",
    "refused_system_unavailable": "지금은 채팅에 연결할 수 없습니다. 자동으로 복구됩니다.",
    "refused_no_such_room": "그런 방은 없습니다.",
    "refused_body_too_large": "너무 깁니다.",
    "refused_bad_request": "내용을 이해하지 못했습니다.",
}

PHRASES: Final[Mapping[str, Mapping[str, str]]] = {"en": _ENGLISH, "ja": _JAPANESE, "ko": _KOREAN}


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


def duration(seconds: int, language: str) -> str:
    """Write a time to wait: seconds below a minute, then `m:ss` and `h:mm:ss`; the page's script does the same."""
    if seconds < 60:
        return PHRASES[language]["seconds"].replace("{n}", str(seconds))
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def refusal_phrase(code: str, language: str, *, limit: int, seconds: int = 0) -> str:
    """Say why something was refused, by its code; codes without words of their own get the general ones."""
    phrases = PHRASES[language]
    words = phrases.get(f"refused_{code}", phrases["failed"])
    return words.replace("{limit}", str(limit)).replace("{time}", duration(seconds, language))


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
