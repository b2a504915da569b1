"""Write one record of each stream and show where: `python -m sakimori_common.log FOLDER`."""

import sys
from pathlib import Path

from sakimori_common.log import Retention, SecurityLogger, configure_logging, open_streams
from sakimori_common.testing.samples import BRUTE_FORCE


def main(arguments: list[str]) -> int:
    """Write into the folder that is named, else into `logs`; 0, or 2 where that cannot be done."""
    folder = Path(arguments[0] if arguments else "logs")
    configure_logging("INFO", service="demo")
    try:
        open_streams(folder, Retention(), "demo")
    except OSError as error:
        sys.stderr.write(f"{folder}: {error.strerror}; name a folder that may be written to\n")
        return 2
    log = SecurityLogger("demo", "a key of the demonstration only")
    log.log_access("203.0.113.42", "GET", "/login", 200, user="admin", user_agent="curl/8.5.0")
    log.log_security("console_login", "203.0.113.42", user="admin", reason="wrong password")
    log.log_alert(BRUTE_FORCE)
    try:
        raise ConnectionError("the database went away")
    except ConnectionError as error:
        log.log_error("store_failed", error)
    for path in sorted(folder.glob("*.log")):
        sys.stdout.write(f"{path}\n  {path.read_text().splitlines()[-1]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
