"""Every program whose syslog messages are understood, one file each.

To add one: write its file, name it here, add its cases under tests/formats.
"""

from typing import Final

from sakimori_collector.domain.programs.openssh import OPENSSH
from sakimori_collector.domain.programs.program import Program

PROGRAMS: Final[tuple[Program, ...]] = (OPENSSH,)

PROGRAM_OF: Final[dict[str, Program]] = {name: program for program in PROGRAMS for name in program.names}
"""By process name."""

__all__ = ["PROGRAMS", "PROGRAM_OF", "Program"]
