"""Run the notifier."""

import sys

from sakimori_common.runtime import run_service
from sakimori_notifier.settings import NotifierSettings
from sakimori_notifier.wiring import running

if __name__ == "__main__":
    sys.exit(run_service(NotifierSettings, running))
