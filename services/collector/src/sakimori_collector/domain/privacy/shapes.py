"""Tokens that are told by their shape alone, wherever they stand.

Prefixes as the issuers document them: AWS (IAM identifiers), GitHub (token formats), GitLab (token overview), Slack
(token types), Google, Stripe, SendGrid, npm, PyPI, Hugging Face, OpenAI, DigitalOcean, Shopify, Telegram; JWT: RFC 7519
(`eyJ` is `{"` in base64url); private keys: RFC 7468, and OpenPGP's armour.
"""

from typing import Final

from sakimori_collector.domain.privacy.kind import Kind, after_first, whole

_TOKENS: Final = (
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[0-9A-Za-z]{16,255}",
    r"\bgithub_pat_\w{16,255}",
    r"\bgl(?:pat|ptt|dt|rt|soat|cbt)-[\w-]{16,255}",
    r"\bx(?:ox[a-z]|app)-[\w-]{8,255}",
    r"\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*){0,3}",
    r"\bAIza[\w-]{30,64}",
    r"\bya29\.[\w-]{16,}",
    r"\b[prs]k_(?:live|test)_\w{8,255}",
    r"\bwhsec_\w{16,255}",
    r"\bSG\.[\w-]{16,64}\.[\w-]{16,64}",
    r"\bnpm_[0-9A-Za-z]{30,64}",
    r"\bpypi-[\w-]{16,}",
    r"\bhf_[0-9A-Za-z]{30,64}",
    r"\bsk-[\w-]{20,255}",
    r"\bdo[opr]_v1_[0-9a-f]{64}",
    r"\bshp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}",
    r"\b[0-9]{6,12}:AA[\w-]{30,64}",
)
_HOOK: Final = (
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/[0-9]{1,32}/)[\w/-]{8,255}"
)
_KEY_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY: Final = rf"-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----(?:[^\x00]*?{_KEY_END}|[^\x00]*)"

SHAPES: Final = Kind(
    "shapes",
    "|".join((*_TOKENS, _HOOK, r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")),
    (("|".join((*_TOKENS, _KEY)), whole), (_HOOK, after_first)),
)
"""Tokens by shape, and private keys to their end (or to that of the value, where the block is cut)."""
