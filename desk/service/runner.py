"""What keeps a desk going: the clock, telling people, verdicts out, alarms in, measures to InfluxDB."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from connectors.base.contract import SinkUnavailableError
from connectors.files.whole import InUseError, alone_with
from connectors.kafka.errors import KafkaError
from connectors.sqlite.files import StoreError
from desk.notify.channels import build_channels
from desk.notify.dispatcher import Dispatcher
from desk.notify.planner import Planner
from desk.service.alerts import AlertReader
from desk.service.desk import Desk
from desk.service.feedback import VerdictOutlet, pass_on
from desk.store.outbox import prune

log = structlog.get_logger(__name__)
#: Notifications are kept for so long after they were settled (ms).
_KEEP_LETTERS = 30 * 86_400_000


@contextmanager
def only_runner(path: Path) -> Iterator[None]:
    """Hold the desk in ``path`` for this process: two would tell people twice. Raises `StoreError`."""
    try:
        with alone_with(path):
            yield
    except InUseError:
        raise StoreError(
            f"Another `yeji desk` runs on {path}. End it, or give this one another --data."
        ) from None


class DeskRunner:
    """Runs a desk in threads of its own until `stop`.

    ``alerts`` makes the reader of alarms from Kafka (None = they are fed in directly), ``outlet`` takes
    verdicts (None = they wait), ``measure`` is called every minute. What fails is logged and tried again.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        alerts: Callable[[], AlertReader] | None = None,
        outlet: VerdictOutlet | None = None,
        measure: Callable[[], None] | None = None,
    ) -> None:
        self.desk, self.outlet, self.measure = desk, outlet, measure
        self.channels = build_channels(desk.settings.notify)
        self.planner = Planner(desk, {name for name, one in self.channels.items() if one.wants_end})
        self.dispatcher = Dispatcher(desk, self.channels)
        self._alerts = alerts
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin. Notifications that a desk was cut off with are settled first."""
        self.dispatcher.recover()
        self._begin("desk", self._work, 1.0)
        for name in self.channels:
            # A thread a channel: one that hangs holds up no other.
            self._begin(f"channel {name}", lambda name=name: self.dispatcher.deliver(name), 0.5)  # type: ignore[misc]
        self._begin("tidy", self._tidy, 3600.0)
        if self.outlet is not None:
            outlet = self.outlet
            self._begin("verdicts", lambda: pass_on(self.desk, outlet), 1.0)
        if self.measure is not None:
            self._begin("measures", self.measure, 60.0)
        if self._alerts is not None:
            self._threads.append(threading.Thread(target=self._read, name="alarms", daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """End soon; what is being sent is sent to its end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
        for channel in self.channels.values():
            channel.close()

    def _tidy(self) -> None:
        with self.desk.store.writing() as t:
            prune(t, self.desk.clock() - _KEEP_LETTERS)

    def _work(self) -> None:
        self.desk.tick()
        self.planner.run()

    def _begin(self, name: str, work: Callable[[], object], every: float) -> None:
        def loop() -> None:
            while not self._stop.is_set():
                try:
                    work()
                except (StoreError, KafkaError, SinkUnavailableError) as error:
                    log.error("the desk cannot go on, and tries again", part=name, why=str(error))
                    self._stop.wait(5)
                except Exception:
                    log.exception("the desk stumbled, and tries again", part=name)
                    self._stop.wait(5)
                self._stop.wait(every)

        thread = threading.Thread(target=loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self) -> None:
        assert self._alerts is not None  # noqa: S101
        while not self._stop.is_set():
            reader: AlertReader | None = None
            try:
                reader = self._alerts()
                while not self._stop.is_set():
                    reader.read()
            except (KafkaError, StoreError) as error:
                log.error("alarms cannot be read, and are tried again", why=str(error))
            except Exception:
                log.exception("alarms cannot be read, and are tried again")
            finally:
                if reader is not None:
                    reader.close()
            self._stop.wait(5)
