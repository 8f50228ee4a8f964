"""Secrets come from files too, never from both; planted ones are looked for wherever something is written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.settings import Section, SettingsError
from streams.settings import Settings, load_settings

PLANTED = "planted-secret-7f3a"
REPOSITORY = Path(__file__).resolve().parents[2]


def _secrets(model: type, path: str = "") -> list[str]:
    """Every setting of type secret, by the name of its variable."""
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if "SecretStr" in str(kind):
            found.append(f"{path}{name}".upper())
        elif isinstance(kind, type) and issubclass(kind, Section):
            found += _secrets(kind, f"{path}{name}__")
    return found


SECRETS = _secrets(Settings)


def test_the_secrets_are_known() -> None:
    assert {"KAFKA__PASSWORD", "KAFKA__CLIENT_SECRET", "INFLUX__TOKEN", "GRAFANA__TOKEN"} <= set(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_comes_from_a_file_or_the_environment_and_never_from_both(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "secret"
    file.write_text(f"{PLANTED}\n")
    monkeypatch.setenv(f"YEJI_{name}_FILE", str(file))
    value: object = load_settings()
    for part in name.lower().split("__"):
        value = getattr(value, part)
    assert isinstance(value, SecretStr)
    assert value.get_secret_value() == PLANTED
    assert PLANTED not in repr(load_settings())
    assert PLANTED not in str(load_settings().model_dump(mode="json"))
    monkeypatch.setenv(f"YEJI_{name}", PLANTED)
    with pytest.raises(SettingsError, match="both set") as caught:
        load_settings()
    assert PLANTED not in str(caught.value)
    monkeypatch.delenv(f"YEJI_{name}")
    monkeypatch.setenv(f"YEJI_{name}_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings()


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yeji.toml").write_text(f'[kafka]\npasswort = "{PLANTED}"\npartitions = "{PLANTED}"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("words", [["check"], ["doctor"], ["machines", "list"], ["topics"]], ids=" ".join)
def test_commands_that_fail_tell_no_secret(words: list[str], tmp_path: Path) -> None:
    """Every service refuses or is away, with a planted secret in each setting."""
    environment = {
        **os.environ,
        **{f"YEJI_{name}": PLANTED for name in SECRETS},
        "YEJI_KAFKA__BROKERS": "127.0.0.1:9",
        "YEJI_KAFKA__SECURITY": "SASL_PLAINTEXT",
        "YEJI_KAFKA__USERNAME": "yeji",
        "YEJI_INFLUX__URL": "http://127.0.0.1:9",
        "YEJI_GRAFANA__URL": "http://127.0.0.1:9",
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-c", "from streams.cli import main; main()", *words]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert PLANTED not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_that_waits_tells_no_secret(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        **{f"YEJI_{name}": PLANTED for name in SECRETS if name.startswith(("KAFKA", "INFLUX"))},
        "YEJI_KAFKA__BROKERS": "127.0.0.1:9",
        "YEJI_KAFKA__SECURITY": "SASL_PLAINTEXT",
        "YEJI_KAFKA__USERNAME": "yeji",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
    }
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", "from streams.cli import main; main()", "worker"],
            env=environment,
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 120
        while "Waiting for Kafka" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        shown = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout
        assert "worker" in shown
        assert PLANTED not in shown
    finally:
        process.terminate()
        process.wait(timeout=60)
    assert PLANTED not in log.read_text()
    assert len(log.read_text().splitlines()) < 30, "one line a state change"
