"""A broker that can be reached in two ways: at once, and over a wire that the ledger cuts."""

from __future__ import annotations

from pathlib import Path

from local_services import KafkaNode
from local_services.process import free_port


class WiredBroker:
    """``address``: for who sends and who accounts. ``wire``: the port that workers are told to come to; who
    listens there passes bytes on to the port ``behind`` (see `cutting_proxy`).
    """

    def __init__(self, folder: Path) -> None:
        port, self.wire, self.behind = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        self._node = KafkaNode(
            folder,
            port=port,
            extra={
                "listeners": f"+WIRE://127.0.0.1:{self.behind}",
                "advertised.listeners": f"+WIRE://127.0.0.1:{self.wire}",
                "listener.security.protocol.map": "+WIRE:PLAINTEXT",
            },
        )

    @property
    def pid(self) -> int:
        """Of the broker's process, which must run."""
        found = self._node.server.pid()
        assert found is not None
        return found

    def start(self) -> None:
        """Start it, or start it again on the same ports; it dies with this process."""
        self._node.start(tied=True)

    def stop(self) -> None:
        """Stop it in order."""
        self._node.stop()
