"""The alarm desk under load, and its messages with channels down for ten minutes.

    .venv/bin/python -m benchmarks.alarm_desk

First 100,000 alarm events go through the state machine alone, then through the desk with its store on disk
(in batches, as a broker gives them), then the same events again. Then alarms come every five seconds of a
simulated clock while both channels of a crew, a real SMTP server and a real HTTP server on this machine, are
down for ten minutes.
"""

from __future__ import annotations

import argparse
import resource
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import structlog
from aiosmtpd.controller import Controller

from desk.notify.channels import build_channels
from desk.notify.dispatcher import Dispatcher
from desk.notify.planner import Planner
from desk.rules.desk import Known, Rules, receive
from desk.rules.point import apply, point_id
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from desk.store.store import check_journal
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, alarm_id
from streams.settings import Settings

START = 1_767_582_000_000
SENSORS = ("vibration", "temperature", "current", "pressure")


def alarm_events(count: int, machines: int) -> list[AlarmEvent]:
    """``count`` events, half raises and half clears, over ``machines`` machines on lines of ten."""
    found: list[AlarmEvent] = []
    for k in range(count // 2):
        machine = f"gwangju/ggm/body/line-{k % machines // 10}/press-{k % machines:05}"
        onset = START + k // machines * 120_000
        parts = tuple(Contribution(name, 0.25, 1.0, 2.0, 3.0) for name in SENSORS)
        for phase, at in ((AlarmPhase.RAISED, 10_000), (AlarmPhase.CLEARED, 70_000)):
            found.append(
                AlarmEvent(
                    id=alarm_id(machine, AlarmKind.CONDITION, "", onset),
                    machine=machine,
                    machine_class="press",
                    kind=AlarmKind.CONDITION,
                    phase=phase,
                    onset=onset,
                    time=onset + at,
                    score=0.9995,
                    threshold=0.999,
                    severity=3,
                    contributions=parts,
                )
            )
    return found


def memory() -> float:
    """The most memory that this process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def state_machine(events: list[AlarmEvent]) -> float:
    """Seconds for the pure part alone."""
    points, known, rules = {}, {}, Rules()
    began = time.process_time()
    for event in events:
        id = point_id(event)
        for entry in receive(points.get(id), event, known.get(event.id, Known()), at=event.time, rules=rules):
            points[id] = apply(points.get(id), entry)
        before = known.get(event.id, Known())
        raised = event.phase is AlarmPhase.RAISED
        known[event.id] = Known(before.raised or raised, before.cleared or not raised)
    return time.process_time() - began


def through_the_store(events: list[AlarmEvent], folder: Path, batch: int) -> None:
    desk = Desk(folder / "desk.sqlite", Settings(), lambda: START)
    for name in ("new", "again"):
        began, wall, head = time.process_time(), time.perf_counter(), desk.head()
        for k in range(0, len(events), batch):
            desk.receive(events[k : k + batch], {("maintenance.alerts", 0): k})
        spent, wall = time.process_time() - began, time.perf_counter() - wall
        print(
            f"store, {name:5}: {spent:6.1f} s of the processor ({wall:.1f} s in all), "
            f"{len(events) / spent:7,.0f} events/s, {desk.head() - head:,} journal entries, "
            f"at most {memory():.0f} MB"
        )
    for name, call in (
        ("open alarms of one area", lambda: desk.open_alarms(EVERYTHING)),
        ("verify the journal", lambda: check_journal(desk.store.path, [])),
        ("measures of a day", lambda: desk.kpis(EVERYTHING, START - 1, START + 1)),
        ("rebuild from the journal", desk.store.rebuild),
    ):
        began = time.process_time()
        call()
        print(f"{name:26}: {time.process_time() - began:6.2f} s of the processor")
    size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
    print(f"{'on disk':26}: {size:6.0f} MB")
    desk.close()


class Mailbox:
    """Counts letters by Message-ID."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        """Take a letter."""
        for line in envelope.content.splitlines():  # type: ignore[attr-defined]
            if line.lower().startswith(b"message-id:"):
                self.taken[line.decode()] += 1
        return "250 taken"


def hook_server(taken: Counter[str], up: Callable[[], bool]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if up():
                taken[self.headers["webhook-id"]] += 1
            self.send_response(200 if up() else 503)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def delivery(folder: Path, alarms: int) -> None:
    """An alarm every five seconds; from minute 5 to minute 15 both channels are down."""
    clock, hooks, box = [START], Counter[str](), Mailbox()
    state = {"up": True}
    hook = hook_server(hooks, lambda: state["up"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mail = Controller(box, hostname="127.0.0.1", port=port)
    mail.start()
    notify = {
        "channels": {
            "mail": {"kind": "email", "url": f"smtp://127.0.0.1:{port}", "to": ["crew@plant.test"]},
            "hook": {
                "kind": "webhook",
                "url": f"http://127.0.0.1:{hook.server_port}/",
                "secret": "a secret of the bench",
            },
        },
        "crews": {"crew": {"channels": ["mail", "hook"], "budget": 1_000_000}},
        "routes": [{"crews": ["crew"]}],
    }
    settings = Settings(desk={"flood": 1_000_000, "group": 0}, notify=notify)
    desk = Desk(folder / "telling.sqlite", settings, lambda: clock[0])
    channels = build_channels(settings.notify)
    planner, dispatcher = Planner(desk, {"hook"}), Dispatcher(desk, channels)
    began, down, tries = time.perf_counter(), (START + 300_000, START + 900_000), 0
    for step in range(alarms + 240):
        clock[0] += 5000
        up = not down[0] <= clock[0] < down[1]
        if up and not state["up"]:
            mail = Controller(box, hostname="127.0.0.1", port=port)
            mail.start()
        elif not up and state["up"]:
            mail.stop()
        state["up"] = up
        if step < alarms:
            machine = f"gwangju/ggm/body/line-{step}/press"
            raised = alarm_events(2, 1)[0]
            event = AlarmEvent(
                id=alarm_id(machine, raised.kind, "", clock[0]),
                machine=machine,
                machine_class="press",
                kind=raised.kind,
                phase=raised.phase,
                onset=clock[0],
                time=clock[0],
                score=0.9995,
                threshold=0.999,
                severity=3,
                contributions=raised.contributions,
            )
            desk.receive([event])
        desk.tick()
        planner.run()
        for channel in dispatcher.channels:
            dispatcher.deliver(channel)
        if step % 97 == 50:  # the desk dies and starts again, too
            tries += dispatcher.recover()
    mail.stop()
    with desk.store.reading() as r:
        states = dict(
            r.db.execute("SELECT state, count(*) FROM outbox WHERE machine LIKE 'gwangju%' GROUP BY 1")
        )
    own = [one for one in desk.open_alarms(EVERYTHING) if one.machine.startswith("yeji/")]
    for name, taken in (("mail", box.taken), ("hook", hooks)):
        # beside the alarms each channel brings word of the other's failure
        print(f"{name}: {len(taken)} messages arrived, {sum(n > 1 for n in taken.values())} of them twice")
    print(f"outbox, alarms of {alarms} machines by two channels: {states}")
    print(
        f"channels that raised alarms of their own: {len(own)}, still failing: {sum(o.active for o in own)}"
    )
    minutes = (clock[0] - START) / 60_000
    print(f"{minutes:.0f} simulated minutes in {time.perf_counter() - began:.1f} s")
    desk.close()
    hook.shutdown()
    for channel in channels.values():
        channel.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--machines", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--alarms", type=int, default=240)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    events = alarm_events(asked.events, asked.machines)
    spent = state_machine(events)
    machines = f"{len(events):,} events of {asked.machines:,} machines"
    print(f"{machines}; the process holds {memory():.0f} MB with them")
    print(f"state machine: {spent:5.1f} s of the processor, {len(events) / spent:7,.0f} events/s")
    with tempfile.TemporaryDirectory() as folder:
        through_the_store(events, Path(folder), asked.batch)
    with tempfile.TemporaryDirectory() as folder:
        delivery(Path(folder), asked.alarms)


if __name__ == "__main__":
    main()
