"""`yeji grafana` as it is typed: what it prints, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_services.process import free_port

from connectors.grafana.dashboards.build import build_all
from streams.cli import main
from tests.connectors.grafana.fake_grafana import TOKEN, FakeGrafana, serving


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGrafana]:
    monkeypatch.chdir(tmp_path)
    with serving(FakeGrafana()) as fake:
        monkeypatch.setenv("YEJI_GRAFANA__URL", fake.url)
        monkeypatch.setenv("YEJI_GRAFANA__TOKEN", TOKEN)
        monkeypatch.setenv("YEJI_INFLUX__TOKEN", "influx-secret")
        yield fake


@pytest.fixture
def yeji(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["yeji", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_apply_tells_what_it_did(grafana: FakeGrafana, yeji) -> None:  # type: ignore[no-untyped-def]
    status, out, err = yeji("grafana", "apply", "--dry-run")
    assert (status, err) == (0, "")
    assert "Nothing was changed" in out
    assert not grafana.dashboards
    status, out, _ = yeji("grafana", "apply")
    assert status == 0
    assert out.count("created") == 2 + len(build_all())
    assert "influx-secret" not in out
    assert TOKEN not in out
    _, out, _ = yeji("grafana", "apply")
    assert out.count("the same") == 2 + len(build_all())


def test_the_address_may_be_given(grafana: FakeGrafana, yeji) -> None:  # type: ignore[no-untyped-def]
    status, _, err = yeji("grafana", "apply", "--url", f"http://127.0.0.1:{free_port()}")
    assert status == 1
    assert err.startswith("yeji: Grafana at http://127.0.0.1:")
    assert "does not answer" in err
    assert err.count("\n") == 1, "one message, no traceback"


def test_without_kafka_annotating_says_so(
    grafana: FakeGrafana, yeji, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("connectors.grafana.follow.REACH_MS", 200)
    monkeypatch.setenv("YEJI_KAFKA__BROKERS", f"127.0.0.1:{free_port()}")
    status, _, err = yeji("grafana", "annotate", "--once")
    assert status == 1
    assert "Kafka at 127.0.0.1:" in err
    assert err.count("\n") == 1


def test_write(tmp_path: Path, yeji) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = yeji("grafana", "write", str(tmp_path / "dashboards"))
    assert status == 0
    assert len(out.split()) == len(build_all())
    assert {path.stem for path in (tmp_path / "dashboards").glob("*.json")} == set(build_all())
