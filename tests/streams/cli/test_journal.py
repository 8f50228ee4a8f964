"""`yeji journal`: what people did can be read, and is as it was written."""

from typer.testing import CliRunner

from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk, desk_path
from pipeline.records import VerdictKind
from streams.cli import make_app
from streams.settings import load_settings
from tests.desk.rules.plant import PRESS, raised


def test_show_and_verify(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    settings.data.mkdir()
    desk = Desk(desk_path(settings), settings)
    event = raised(PRESS)
    desk.receive([event])
    desk.close_alarm(
        EVERYTHING,
        event.id,
        Finding(VerdictKind.FAULT, "bearing-wear", part="6205", comment="two\nlines"),
        by="Kim",
    )
    desk.close()
    run = CliRunner().invoke
    shown = run(make_app(), ["journal", "show"]).output.splitlines()
    assert len(shown) == 2
    assert "Kim  close  " in shown[1]
    assert shown[1].endswith("fault-confirmed bearing-wear 6205  two lines")
    assert run(make_app(), ["journal", "show", "--machine", "x/y/z/u/v"]).output == ""
    verified = run(make_app(), ["journal", "verify"])
    assert verified.exit_code == 0
    assert "2 entries, each as it was written." in verified.output
    head = verified.output.split()[-1]
    assert run(make_app(), ["journal", "verify", "--head", head]).exit_code == 0
    assert run(make_app(), ["journal", "verify", "--head", "11" * 32]).exit_code != 0
