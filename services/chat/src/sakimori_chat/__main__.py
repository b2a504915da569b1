"""Run the chat by itself."""

import sys

from sakimori_chat.settings import ChatSettings
from sakimori_chat.wiring import running
from sakimori_common.runtime import run_service

if __name__ == "__main__":
    sys.exit(run_service(ChatSettings, running))
