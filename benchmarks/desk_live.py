"""How long until every open desk shows a new alarm: `python benchmarks/desk_live.py --desks 200`.

Real HTTP on 127.0.0.1: every desk holds its event stream open and, when told, asks for its page anew, as a
browser does. The clients run in another process than the desk. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from desk.access.roles import Role
from desk.service.desk import Desk, desk_path
from desk.web import DeskServer
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, alarm_id
from streams.settings import Settings

TENANTS = 4


def alarm(tenant: int, number: int) -> AlarmEvent:
    """One new alarm of a tenant's machine."""
    machine = f"bench/t{tenant}/area{number % 5}/line{number % 9}/machine-{number}"
    now = time.time_ns() // 1_000_000
    share = (
        Contribution("vibration", 0.8, 9.5, 2.0, 11.2),
        Contribution("temperature", 0.2, 71.0, 60.0, 3.0),
    )
    return AlarmEvent(
        id=alarm_id(machine, AlarmKind.CONDITION, "", now + number),
        machine=machine,
        machine_class="default",
        kind=AlarmKind.CONDITION,
        phase=AlarmPhase.RAISED,
        onset=now,
        time=now,
        score=0.9999,
        threshold=0.999,
        severity=1 + number % 4,
        contributions=share,
    )


def serve(folder: str, standing: int, desks: int, pipe: multiprocessing.connection.Connection) -> None:
    """The desk's own process: takes alarms in as it is told over ``pipe``."""
    settings = Settings(data=Path(folder), desk={"port": 0})
    desk = Desk(desk_path(settings), settings)
    desk.receive(alarm(n % TENANTS, n) for n in range(standing))
    server = DeskServer(desk)
    accounts, sessions = server.web.accounts, server.web.sessions
    tokens = []
    for n in range(desks):
        account, _ = accounts.add(f"crew-{n}", "", Role.CREW, [f"bench/t{n % TENANTS}"])
        tokens.append(sessions.begin(account))
    pipe.send((server.start(), tokens))
    while (order := pipe.recv()) is not None:
        event = alarm(*order)
        desk.receive([event])
        pipe.send((event.machine, time.time()))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pipe.send((usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    server.stop()
    desk.close()


class OpenDesk:
    """One open desk: an event stream, and a page that is asked for whenever it says so."""

    def __init__(self, number: int, url: str, token: str) -> None:
        self.number, self.token, self.url = number, token, url
        self.shown: dict[str, float] = {}
        self.waiting: str | None = None
        self.ready = asyncio.Event()
        self.pages = self.bytes = 0

    async def run(self, client: httpx.AsyncClient) -> None:
        """Open the page, then follow the stream."""
        headers = {"Cookie": f"yeji-desk={self.token}"}
        await self.load(client, headers)
        async with client.stream("GET", f"{self.url}live", headers=headers, timeout=None) as stream:
            async for line in stream.aiter_lines():
                self.ready.set()
                if line == "event: changed":
                    await self.load(client, headers)

    async def load(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        """Ask for the page."""
        answer = await client.get(self.url, headers=headers)
        assert answer.status_code == 200, answer.status_code
        self.pages += 1
        self.bytes += len(answer.content)
        if (
            self.waiting
            and "/alarms/" in answer.text
            and self.waiting.rsplit("/", 1)[1] + "</a>" in answer.text
        ):
            self.shown.setdefault(self.waiting, time.time())


async def measure(
    url: str, tokens: list[str], rounds: int, pipe: multiprocessing.connection.Connection
) -> dict[str, object]:
    """Open all desks, then raise alarms one by one, each in one tenant."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        desks = [OpenDesk(n, url, token) for n, token in enumerate(tokens)]
        began = time.perf_counter()
        tasks = [asyncio.create_task(desk.run(client)) for desk in desks]
        await asyncio.gather(*(desk.ready.wait() for desk in desks))
        opened = time.perf_counter() - began
        before = [desk.pages for desk in desks]
        delays: list[float] = []
        slowest: list[float] = []
        asked_elsewhere = 0
        for n in range(rounds):
            tenant = n % TENANTS
            pipe.send((tenant, 1_000_000 + n))
            machine, at = await asyncio.to_thread(pipe.recv)
            mine = [desk for desk in desks if desk.number % TENANTS == tenant]
            others = {desk.number: desk.pages for desk in desks if desk.number % TENANTS != tenant}
            for desk in mine:
                desk.waiting = machine
            end = time.time() + 60
            while any(machine not in desk.shown for desk in mine) and time.time() < end:
                await asyncio.sleep(0.01)
                for desk in mine:  # told before `waiting` was set: it shows on the next page
                    desk.waiting = machine
            late = [desk.shown[machine] - at for desk in mine if machine in desk.shown]
            assert len(late) == len(mine), f"{len(mine) - len(late)} desks never showed {machine}"
            delays += late
            slowest.append(max(late))
            asked_elsewhere += sum(desks[k].pages - pages for k, pages in others.items())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    pages = sum(desk.pages - first for desk, first in zip(desks, before, strict=True))
    delays.sort()
    return {
        "desks": len(desks),
        "tenants": TENANTS,
        "alarms": rounds,
        "all_open_s": round(opened, 2),
        "median_s": round(statistics.median(delays), 3),
        "p99_s": round(delays[int(len(delays) * 0.99)], 3),
        "slowest_desk_s": round(max(slowest), 3),
        "pages": pages,
        "pages_of_other_tenants": asked_elsewhere,
        "kB_a_page": round(sum(d.bytes for d in desks) / sum(d.pages for d in desks) / 1000, 1),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--desks", type=int, default=200)
    parser.add_argument(
        "--standing", type=int, default=80, help="alarms that stand already, over all tenants"
    )
    parser.add_argument("--rounds", type=int, default=12)
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=serve, args=(folder, given.standing, given.desks, theirs))
        server.start()
        url, tokens = ours.recv()
        found = asyncio.run(measure(url, tokens, given.rounds, ours))
        ours.send(None)
        cpu, memory = ours.recv()
        server.join()
    print(json.dumps({**found, "server_cpu_s": round(cpu, 2), "server_memory_MB": round(memory)}))


if __name__ == "__main__":
    main()
