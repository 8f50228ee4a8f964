"""Two tenants on one desk, each with everything that a desk can hold; for the tests of the desk's web."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.access.roles import ALL, Account, Role
from desk.access.store import AccessStore
from desk.advice.catalogue import Mode, Text
from desk.rules.finding import Finding
from desk.rules.on_call import Rota
from desk.rules.rationalisation import Rationalisation
from desk.rules.scope import EVERYTHING, Scope
from desk.service.desk import Desk, desk_path
from desk.service.on_call import OnCallBook
from desk.service.rationalisation import RationalisationList
from desk.service.work_orders import Plan, WorkOrders
from desk.store.orders import OrderChoice
from desk.web.app import DeskWeb, make_web
from pipeline.records import (
    AlarmEvent,
    AlarmKind,
    AlarmPhase,
    Contribution,
    Results,
    Scored,
    VerdictKind,
    alarm_id,
)
from streams.settings import Settings

NOW = 1_760_000_000_000
MINUTE = 60_000
OURS, THEIRS = "lab/one", "rival/site"
PRESS, PUMP = f"{OURS}/body/line-1/press-1", f"{OURS}/utility/line-9/pump-1"
SECRET = f"{THEIRS}/vault/line-x/hush-1"
PASSWORD = "three old presses"  # of every account here
#: What must never reach somebody of the other tenant.
MARKS = ("rival", "hush", "their-", "zebra")


class Clock:
    """The desk's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def raised(machine: str, *, ago: int = 5, sensor: str = "vibration", severity: int = 3) -> AlarmEvent:
    """An alarm of ``machine`` that began ``ago`` minutes before `NOW`."""
    onset = NOW - ago * MINUTE
    contributions = (
        Contribution(sensor, 0.8, 9.5, 2.0, 11.25),
        Contribution("temperature", 0.2, 71.0, None, None),
    )
    return AlarmEvent(
        id=alarm_id(machine, AlarmKind.CONDITION, "", onset),
        machine=machine,
        machine_class="press",
        kind=AlarmKind.CONDITION,
        phase=AlarmPhase.RAISED,
        onset=onset,
        time=onset + 10_000,
        score=0.9997,
        threshold=0.999,
        severity=severity,
        contributions=contributions,
    )


def cleared(event: AlarmEvent, time: int) -> AlarmEvent:
    """The end of ``event``."""
    import dataclasses

    return dataclasses.replace(event, phase=AlarmPhase.CLEARED, time=time)


@dataclass
class Plant:
    """Everything at once."""

    desk: Desk
    store: AccessStore
    history: SqliteHistory
    web: DeskWeb
    clock: Clock
    press: AlarmEvent
    pump: AlarmEvent
    secret: AlarmEvent
    window: str
    secret_window: str
    secret_order: str
    secret_rota: str
    secret_record: str

    def account(self, name: str) -> Account:
        return next(one for one in self.web.accounts.all() if one.name == name)

    def client(self, name: str | None = None) -> TestClient:
        """A client without or with somebody signed in."""
        client = TestClient(self.web.app, base_url="http://127.0.0.1", follow_redirects=False)
        if name is not None:
            client.cookies.set("yeji-desk", self.web.sessions.begin(self.account(name)))
        return client

    def csrf(self, client: TestClient) -> str:
        """The token of a signed-in client's forms."""
        session = self.web.sessions.find(client.cookies["yeji-desk"])
        assert session is not None
        return session.csrf

    def close(self) -> None:
        self.web.training.close()
        self.web.phones.close()
        self.history.close()
        self.desk.close()
        self.store.close()


def make_plant(folder: Path, **desk_settings: object) -> Plant:
    """Two tenants; people of each role; alarms, planned work, verdicts, keys and work orders."""
    clock = Clock()
    settings = Settings(
        data=folder,
        desk={"url": "http://127.0.0.1:8011", "port": 0, "timezone": "Asia/Seoul", **desk_settings},
        classes={
            "press": {
                "match": ["*"],
                "criticality": 3,
                "sensors": {"vibration": {"unit": "mm/s", "label": "Vibration", "label_ko": "진동"}},
            }
        },
    )
    desk = Desk(desk_path(settings), settings, clock)
    desk.modes = lambda _: (("bearing-wear", 0.72), ("imbalance", 0.18))
    store = AccessStore(folder / "desk-accounts.sqlite")
    press, pump, secret = events()
    web = make_web(desk, store, None)
    if not desk.head():
        fill(desk, web)
    web.training.close()
    web.phones.close()
    if not (folder / "readings.sqlite").exists():
        with SqliteSink(folder / "readings.sqlite") as sink:
            for machine in (PRESS, PUMP, SECRET):
                sink.write(Results(scored=[_readings(machine)], alarms=[raised(machine)]))
    history = SqliteHistory(folder / "readings.sqlite")
    web = make_web(desk, store, history)
    ours, theirs = (
        next(one.id for one in desk.windows(EVERYTHING) if one.place.startswith(tenant))
        for tenant in (OURS, THEIRS)
    )
    orders = WorkOrders(desk).listed(Scope.of(THEIRS), OrderChoice()).orders
    (record,) = RationalisationList(desk).all(Scope.of(THEIRS))
    (rota,) = OnCallBook(desk).rotas(Scope.of(THEIRS))
    return Plant(
        desk, store, history, web, clock, press, pump, secret, ours, theirs, orders[0].id, rota.id, record.id
    )


def events() -> tuple[AlarmEvent, AlarmEvent, AlarmEvent]:
    """The alarms that stand: of the press, the pump, and the other tenant's machine."""
    return raised(PRESS, severity=4), raised(PUMP, severity=2), raised(SECRET, sensor="their-sensor")


def fill(desk: Desk, web: DeskWeb) -> None:
    """Put everything on the desk."""
    press, pump, secret = events()
    old = raised(SECRET, ago=600, sensor="their-sensor")
    desk.receive([old])
    desk.receive([cleared(old, old.onset + MINUTE), press, pump, secret])
    desk.close_alarm(
        EVERYTHING,
        old.id,
        Finding(VerdictKind.FAULT, "zebra-mode", part="zebra-part", comment="zebra comment"),
        by="their-crew",
    )
    desk.comment(EVERYTHING, secret.id, by="their-crew", text="zebra word")
    desk.open_window(EVERYTHING, f"{OURS}/paint", start=NOW, end=NOW + 60 * MINUTE, by="kim", why="filters")
    desk.open_window(
        EVERYTHING, f"{THEIRS}/paint", start=NOW, end=NOW + 60 * MINUTE, by="their-crew", why="zebra work"
    )
    desk.machine_down(EVERYTHING, f"{THEIRS}/vault/line-x/hush-down", by="their-crew", why="zebra broke")
    theirs = Mode(
        mode="advice-9",
        title=Text("zebra mode"),
        sentence=Text("zebra sentence"),
        symptoms=(),
        checks=(Text("zebra check"),),
    )
    desk.change_advice(EVERYTHING, THEIRS, "pump", "advice-9", theirs, by="their-crew", why="zebra")
    desk.link_work_order(
        EVERYTHING, secret.id, by="their-cmms", number="zebra-4711", url="https://cmms.example/zebra"
    )
    WorkOrders(desk).request(
        EVERYTHING,
        "",
        "zebra work order",
        by="their-crew",
        alarm=secret.id,
        plan=Plan("their-crew", NOW, None, "zebra instructions"),
    )
    rota = Rota(id="", place=THEIRS, name="zebra rota", people=("their-crew",), first="2025-10-06")
    OnCallBook(desk).put_rota(EVERYTHING, rota, by="their-crew")
    record = Rationalisation(
        id="", place=THEIRS, cause="zebra cause", consequence="x", response="zebra response", minutes=5.0
    )
    RationalisationList(desk).put(EVERYTHING, record, by="their-crew")
    people = [
        ("root", Role.ADMIN, [ALL]),
        ("our-admin", Role.ADMIN, [OURS]),
        ("our-engineer", Role.ENGINEER, [OURS]),
        ("kim", Role.CREW, [OURS]),
        ("viewer", Role.VIEWER, [OURS]),
        ("body-crew", Role.CREW, [f"{OURS}/body"]),
        ("their-admin", Role.ADMIN, [THEIRS]),
    ]
    for name, role, places in people:
        web.accounts.add(name, name, role, places)
    web.accounts.new_key("their-cmms", Role.CREW, [THEIRS], "their-admin")


def _readings(machine: str) -> Scored:
    n = 600
    time = NOW - n * 1000 + np.arange(n) * 1000
    sensors = ("their-sensor", "zebra") if machine == SECRET else ("vibration", "temperature")
    t = np.arange(n)
    values = np.column_stack([2 + np.sin(t / 20), 60 + t / 100])
    return Scored(
        machine=machine,
        machine_class="press",
        time=time,
        sensors=sensors,
        values=values,
        score=0.5 + 0.4 * np.sin(t / 10),
        health=np.full(n, 88.0),
        state=np.ones(n, dtype=np.uint8),
        contributions=np.zeros((n, 2)),
    )
