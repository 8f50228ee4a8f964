"""The command starts without loading what only some of its verbs need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "aiokafka",
    "apprise",
    "faust",
    "grafana_foundation_sdk",
    "httpx",
    "influxdb_client",
    "kafka",
    "requests",
    "river",
    "scipy",
    "starlette",
)


def test_help_loads_nothing_heavy() -> None:
    program = (
        f"import sys; from streams.cli import make_app; make_app(); print(*({HEAVY} & sys.modules.keys()))"
    )
    program = program.replace(str(HEAVY), f"set({HEAVY})")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
