"""The desk's pages and API with many machines: `python -m benchmarks.desk_pages`.

Every machine has alarmed, `--alarms` of them still do, `--orders` of them have a work order. Each
page and call is asked for through the whole application (session, scope, templates) and timed by the
processor, since only that means the same on a busy machine. Prints a line each: the first time, the median of
three more, bytes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

from benchmarks.alarm_desk import START, alarm_events
from desk.access.roles import Role
from desk.rules.on_call import Rota
from desk.rules.rationalisation import Rationalisation
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk, desk_path
from desk.service.on_call import OnCallBook
from desk.service.rationalisation import RationalisationList
from desk.service.work_orders import Plan, WorkOrders
from desk.web import DeskServer
from pipeline.records import AlarmPhase
from streams.settings import Settings

SITE = "gwangju/ggm"


def filled(folder: Path, machines: int, alarms: int, orders: int) -> DeskServer:
    """A desk on which every machine alarmed once, and the last ``alarms`` still do."""
    settings = Settings(data=folder, desk={"port": 0, "access": {"calls": 1_000_000}})
    desk = Desk(desk_path(settings), settings, lambda: START + 3_600_000)
    events = alarm_events(2 * machines, machines)
    standing = {one.machine for one in events[-2 * alarms :]}
    events = [one for one in events if one.phase is AlarmPhase.RAISED or one.machine not in standing]
    # spread over an hour: all at once would be one group a line
    events = [replace(one, onset=one.onset + n % 3600 * 1000) for n, one in enumerate(events)]
    for k in range(0, len(events), 500):
        desk.receive(events[k : k + 500])
    work = WorkOrders(desk)
    for event in [one for one in events if one.machine in standing][:orders]:
        work.request(EVERYTHING, "", "Change bearing", by="kim", alarm=event.id, plan=Plan("kim"))
    rota = Rota(id="", place=SITE, name="days", people=("kim", "lee"), every="day", first="2026-01-01")
    OnCallBook(desk).put_rota(EVERYTHING, rota, by="kim")
    agreed = {"cause": "wear", "consequence": "stop", "response": "look", "minutes": 30.0}
    for line in range(200):
        record = Rationalisation(id="", place=f"{SITE}/body/line-{line}", machine_class="press", **agreed)
        RationalisationList(desk).put(EVERYTHING, record, by="kim")
    return DeskServer(desk)


def timed(client: TestClient, path: str) -> tuple[float, float, int]:
    """(first, median of three more) in s of the processor, and bytes."""
    spent: list[float] = []
    size = 0
    for _ in range(4):
        began = time.process_time()
        answer = client.get(path)
        spent.append(time.process_time() - began)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        size = len(answer.content)
    return spent[0], statistics.median(spent[1:]), size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--alarms", type=int, default=500)
    parser.add_argument("--orders", type=int, default=250)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = filled(Path(folder), asked.machines, asked.alarms, asked.orders)
        web = server.web
        account, _ = web.accounts.add("kim", "Kim", Role.ENGINEER, [SITE])
        client = TestClient(web.app, base_url="http://127.0.0.1", follow_redirects=False)
        client.cookies.set("yeji-desk", web.sessions.begin(account))
        one = client.get("/api/v1/alarms?priority=low").json()["items"][0]
        print(f"{asked.machines:,} machines, {asked.alarms} alarms, {asked.orders} work orders")
        for path in (
            "/",
            "/?q=line-9",
            "/?page=25",
            f"/alarms/{one['id']}",
            f"/machines/{one['machine']}",
            "/orders",
            "/on-call",
            "/rationalisation",
            "/review?days=30",
            "/kpis?days=7",
            "/api/v1/alarms",
            "/api/v1/orders",
            "/api/v1/journal?limit=1000",
        ):
            first, again, size = timed(client, path)
            shown = path.replace(one["id"], "ID").replace(one["machine"], "MACHINE")
            print(f"{shown:28} {first * 1000:8.0f} ms {again * 1000:8.0f} ms {size / 1000:8.0f} kB")
        server.stop()


if __name__ == "__main__":
    main()
