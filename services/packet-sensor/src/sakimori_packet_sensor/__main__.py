"""Starts the packet-sensor."""

import sys

from sakimori_common.runtime import run_service
from sakimori_packet_sensor.settings import SensorSettings
from sakimori_packet_sensor.wiring import running

if __name__ == "__main__":
    sys.exit(run_service(SensorSettings, running))
