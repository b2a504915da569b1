"""Run the API gateway until it is told to stop."""

import sys

from sakimori_api_gateway.settings import GatewaySettings
from sakimori_api_gateway.wiring import running
from sakimori_common.runtime import run_service

if __name__ == "__main__":
    sys.exit(run_service(GatewaySettings, running))
