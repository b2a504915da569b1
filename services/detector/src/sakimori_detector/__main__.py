"""Run the detector."""

import sys

from sakimori_common.runtime import run_service
from sakimori_detector.settings import DetectorSettings
from sakimori_detector.wiring import running

if __name__ == "__main__":
    sys.exit(run_service(DetectorSettings, running))
