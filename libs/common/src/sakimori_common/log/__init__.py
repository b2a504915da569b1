"""What services write about themselves: their own log, and the four streams that people and other tools read.

The service log (setup.py) is for whoever runs the service: to stderr, or a file. The streams (streams.py) are files in
LOG_DIR, one JSON object a line: `access.log`, `security.log`, `error.log`, `alert.log`. Both follow schema.json.
"""

from sakimori_common.log.rotation import Retention
from sakimori_common.log.setup import Format, Level, configure_logging, logger, open_streams
from sakimori_common.log.streams import SecurityLogger

__all__ = ["Format", "Level", "Retention", "SecurityLogger", "configure_logging", "logger", "open_streams"]
