"""What a phone's browser makes of the desk: `python -m benchmarks.desk_browser --machines 10000`.

Real chromium over real HTTP, with the processor slowed four times and a network of 150 ms and 1.6 Mbit/s, as
Lighthouse does for phones (https://github.com/GoogleChrome/lighthouse/blob/main/docs/throttling.md). Each
page is opened with an empty cache, then again. Prints one line of JSON a page, the median of the runs:
requests, bytes over the wire, first contentful paint, time to interactive (the end of the last task of more
than 50 ms), what such tasks took beyond 50 ms (total blocking time), and the layout's shift. Times in ms.
Needs the package playwright and an installed chromium.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.access.roles import Role
from desk.service.desk import Desk, desk_path
from desk.web import DeskServer
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, Results, Scored, alarm_id
from streams.settings import Settings

SENSORS = tuple(f"sensor_{j}" for j in range(8))
#: Readings of every machine, and of the one whose page is opened: a day, one every ten seconds.
FEW, MANY = 60, 8640
STEP = 10_000
WATCH = """
window.seen = {long: [], shift: 0};
const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take))
  .observe({type, buffered: true});
watch('longtask', (one) => seen.long.push([one.startTime, one.duration]));
watch('layout-shift', (one) => { if (!one.hadRecentInput) seen.shift += one.value; });
"""


def name_of(machine: int) -> str:
    """A machine of the plant."""
    return f"bench/plant/area-{machine % 5}/line-{machine % 50}/machine-{machine:05d}"


def scored(machine: int, now: int, rng: np.random.Generator) -> Scored:
    """The latest readings of one machine."""
    n = FEW if machine else MANY
    values = rng.normal(size=(n, len(SENSORS)))
    return Scored(
        machine=name_of(machine),
        machine_class="default",
        time=now - (n - np.arange(n)) * STEP,
        sensors=SENSORS,
        values=values,
        score=rng.random(n) * 0.9,
        health=np.full(n, 95.0),
        state=np.ones(n, np.uint8),
        contributions=np.zeros_like(values),
    )


def alarm(machine: int, now: int) -> AlarmEvent:
    """An alarm of one machine, which began half an hour ago or less."""
    onset = now - (machine % 180) * STEP
    parts = (Contribution("sensor_1", 0.8, 9.5, 2.0, 11.2), Contribution("sensor_2", 0.2, 71.0, 60.0, 3.0))
    return AlarmEvent(
        id=alarm_id(name_of(machine), AlarmKind.CONDITION, "", onset),
        machine=name_of(machine),
        machine_class="default",
        kind=AlarmKind.CONDITION,
        phase=AlarmPhase.RAISED,
        onset=onset,
        time=onset,
        score=0.9999,
        threshold=0.999,
        severity=1 + machine % 4,
        contributions=parts,
    )


def serve(folder: Path, machines: int, alarms: int, pipe: Connection) -> None:
    """The desk's own process, until ``pipe`` says so."""
    now, rng = time.time_ns() // 1_000_000, np.random.default_rng(0)
    raised = [alarm(machine, now) for machine in range(alarms)]
    path = folder / "readings.sqlite"
    with SqliteSink(path) as sink:
        for first in range(0, machines, 500):
            part = [scored(machine, now, rng) for machine in range(first, min(machines, first + 500))]
            sink.write(Results(scored=part))
        sink.write(Results(alarms=raised))
    settings = Settings(data=folder, desk={"port": 0, "url": "http://127.0.0.1:8011"})
    desk = Desk(desk_path(settings), settings)
    desk.receive(raised)
    server = DeskServer(desk, SqliteHistory(path))
    account, _ = server.web.accounts.add("crew", "", Role.CREW, ["bench/plant"])
    pipe.send((server.start(), server.web.sessions.begin(account)))
    pipe.recv()
    server.stop()
    desk.close()


def throttled(page: Page) -> Any:
    """The page's session of the developer tools, with processor and network slowed."""
    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    network = {
        "offline": False,
        "latency": 150,
        "downloadThroughput": 1.6e6 / 8,
        "uploadThroughput": 750e3 / 8,
    }
    tools.send("Network.emulateNetworkConditions", network)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return tools


def look(page: Page, address: str) -> dict[str, float]:
    """Open ``address`` and measure until nothing long ran for three seconds."""
    tools = throttled(page)
    wire = {"requests": 0, "bytes": 0}

    def finished(event: dict[str, float]) -> None:
        wire["requests"] += 1
        wire["bytes"] += int(event["encodedDataLength"])

    tools.on("Network.loadingFinished", finished)
    page.goto(address)
    quiet = "performance.now() - Math.max(...seen.long.map(([at, took]) => at + took), 0) > 3000"
    if page.locator("#charts").count():
        page.locator("#charts[aria-busy=false]").wait_for(timeout=60_000)
    while not page.evaluate(quiet):
        page.wait_for_timeout(250)
    found = page.evaluate(
        "({paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0, "
        "answer: performance.getEntriesByType('navigation')[0].responseStart, ...seen})"
    )
    late = [(at, took) for at, took in found["long"] if at + took > found["paint"]]
    tools.detach()
    return {
        **wire,
        "first_byte": found["answer"],
        "first_paint": found["paint"],
        "interactive": max([found["paint"], *(at + took for at, took in late)]),
        "blocked": sum(max(0.0, took - 50) for _, took in late),
        "shift": found["shift"],
    }


def measure(browser: Browser, url: str, token: str, path: str, runs: int) -> dict[str, dict[str, float]]:
    """The medians of ``runs`` openings, with an empty cache and again."""
    kinds: dict[str, list[dict[str, float]]] = {"first": [], "again": []}
    for _ in range(runs):
        context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        context.add_cookies([{"name": "yeji-desk", "value": token, "url": url}])
        context.add_init_script(WATCH)
        for kind in kinds:
            page = context.new_page()
            kinds[kind].append(look(page, url.rstrip("/") + path))
            page.close()
        context.close()
    return {
        kind: {name: round(statistics.median(one[name] for one in found), 3) for name in found[0]}
        for kind, found in kinds.items()
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--alarms", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        arguments = (Path(folder), asked.machines, asked.alarms, theirs)
        server = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
        server.start()
        url, token = ours.recv()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, path in (
            ("list", "/"),
            ("machine", f"/machines/{quote(name_of(0))}?span=86400"),
            ("fleet", "/fleet"),
        ):
            found = measure(browser, url, token, path, asked.runs)
            print(json.dumps({"page": name, **vars(asked), **found}), flush=True)
        browser.close()
        ours.send(None)
        server.join(30)


if __name__ == "__main__":
    main()
