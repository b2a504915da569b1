"""Run the collector."""

import sys

from sakimori_collector.settings import CollectorSettings
from sakimori_collector.wiring import running
from sakimori_common.runtime import run_service

if __name__ == "__main__":
    sys.exit(run_service(CollectorSettings, running))
