"""Desks with a clock that the test moves, and servers that stop with the test."""

import pytest

from desk.notify.channels import build_channels
from desk.notify.dispatcher import Dispatcher
from desk.notify.planner import Planner
from desk.service.desk import Desk
from streams.settings import Settings
from tests.desk.notify.servers import HookServer, MailServer

MONDAY_NOON = 1_767_582_000_000


class Telling:
    """A desk with its planner and post office, and its clock."""

    def __init__(self, path, notify, **desk):
        self.path, self.now = path, MONDAY_NOON
        self.settings = Settings(desk=desk, notify=notify)
        self.open()

    def open(self):
        self.desk = Desk(self.path, self.settings, lambda: self.now)
        self.channels = build_channels(self.settings.notify)
        wants = {name for name, channel in self.channels.items() if channel.wants_end}
        self.planner = Planner(self.desk, wants)
        self.dispatcher = Dispatcher(self.desk, self.channels)

    def close(self):
        self.desk.close()
        for channel in self.channels.values():
            channel.close()

    def work(self, seconds=0.0):
        """One round of what the desk's runner does, ``seconds`` later."""
        self.now += round(seconds * 1000)
        self.desk.tick()
        self.planner.run()
        return self.deliver()

    def deliver(self):
        """Every channel, one after the other."""
        return sum(self.dispatcher.deliver(name) for name in self.dispatcher.channels)


@pytest.fixture
def mail():
    server = MailServer().start()
    yield server
    server.stop()


@pytest.fixture
def hook():
    server = HookServer().start()
    yield server
    server.stop()


@pytest.fixture
def telling(tmp_path):
    made = []

    def make(notify, **desk):
        made.append(Telling(tmp_path / f"desk{len(made)}.sqlite", notify, **desk))
        return made[-1]

    yield make
    for one in made:
        one.close()
