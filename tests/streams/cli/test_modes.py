"""`yeji modes`: versions of a classifier are listed, and an older one is put to work again."""

import pytest
from typer.testing import CliRunner

from desk.learning.modes import ModeBook
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk, desk_path
from pipeline.records import VerdictKind
from streams.cli import make_app
from streams.cli.errors import CommandError
from streams.settings import load_settings
from tests.desk.rules.plant import PRESS, raised

TENANT = "/".join(PRESS.split("/")[:2])


def test_an_older_version_is_put_to_work_again_and_the_newest_after_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    settings.data.mkdir()
    desk = Desk(desk_path(settings), settings)
    book = ModeBook(desk)
    for day, mode in enumerate(("bearing-wear", "air-leak")):
        event = raised(PRESS, onset=1_800_000_000_000 + day * 86_400_000)
        desk.receive([event])
        desk.close_alarm(EVERYTHING, event.id, Finding(VerdictKind.FAULT, mode), by="Kim")
    assert [one.version for one in book.versions(TENANT, event.machine_class)] == [2, 1]
    desk.close()

    def run(*words):
        return CliRunner().invoke(make_app(), ["modes", *words])

    assert run("activate", TENANT, event.machine_class, "1", "--by", "Lee").exit_code == 0
    newest, oldest = run("list", TENANT, event.machine_class).output.splitlines()[1:]
    assert newest.split()[0] == "2"
    assert "retired" in newest
    assert "active, chosen" in oldest
    assert run("activate", TENANT, event.machine_class, "2").exit_code == 0
    newest, _ = run("list", TENANT, event.machine_class).output.splitlines()[1:]
    assert "active" in newest
    assert "chosen" not in newest
    failed = run("activate", TENANT, event.machine_class, "7")
    assert isinstance(failed.exception, CommandError)
    assert "no version 7" in str(failed.exception)


def test_without_a_desk_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed = CliRunner().invoke(make_app(), ["modes", "list", "a/b", "press"])
    with pytest.raises(CommandError, match="There is no desk at"):
        raise failed.exception
