"""Debian's packages, for tests of what is packaged nowhere else."""

import os
import shutil
import subprocess
from pathlib import Path


def install(*packages: str) -> bool:
    """Install packages without starting the services that come with them; tells whether that was possible."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    policy = Path("/usr/sbin/policy-rc.d")
    is_ours = not policy.exists()
    if is_ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
        succeeds(["apt-get", "update", *options])
        return succeeds(["apt-get", "install", "--no-install-recommends", *options, *packages])
    finally:
        if is_ours:
            policy.unlink(missing_ok=True)


def succeeds(command: list[str]) -> bool:
    """Run a command; tells whether it ended well."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
