"""Write .env with random secrets for docker-compose.yml (`make env`); one that is there is kept."""

from __future__ import annotations

import base64
import os
import secrets
import sys
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
HEADER = "# Secrets of docker-compose.yml, made by `make env`. Keep it; never commit it.\n"


def cluster_id() -> str:
    """A Kafka cluster's id: sixteen random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def values() -> dict[str, str]:
    """A new value for every variable that docker-compose.yml cannot do without."""
    return {
        "KAFKA_CLUSTER_ID": cluster_id(),
        "INFLUX_PASSWORD": secrets.token_urlsafe(24),
        "INFLUX_TOKEN": secrets.token_urlsafe(48),
        "GRAFANA_PASSWORD": secrets.token_urlsafe(24),
    }


def main(path: Path = REPOSITORY / ".env") -> int:
    """Make the file, readable by its owner only, and say where the passwords are."""
    try:
        out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{path} is there already and was left as it is.", file=sys.stderr)
        return 0
    with os.fdopen(out, "w") as file:
        file.write(HEADER + "".join(f"{name}={value}\n" for name, value in values().items()))
    print(f"Wrote {path}. Grafana's user is admin, its password GRAFANA_PASSWORD in that file.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
