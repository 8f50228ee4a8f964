"""The local services' own parts: cache, processes, finding Java, and installing what is missing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from local_services import ServiceError
from local_services import __main__ as command
from local_services.cache import built, is_built, key_of, run_build
from local_services.influx import InfluxNode, InfluxService
from local_services.java import find_java, java_version
from local_services.kafka import KafkaNode
from local_services.process import Server, free_port, listening

REPOSITORY = Path(__file__).resolve().parents[2]
PREPARE = REPOSITORY / "deploy" / "ci" / "prepare"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("YEJI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestCache:
    """What is built is built once, whole or not at all."""

    def test_the_key_follows_the_sources(self, tmp_path: Path) -> None:
        source = tmp_path / "pom.xml"
        source.write_text("1")
        first = key_of("4.1", [source])
        assert first == key_of("4.1", [source])
        source.write_text("2")
        assert key_of("4.1", [source]) != first
        assert first.startswith("4.1-")

    def test_it_is_built_once(self) -> None:
        calls: list[Path] = []

        def build(folder: Path) -> None:
            calls.append(folder)
            (folder / "jar").write_text("x")

        assert not is_built("kind", "key")
        first = built("kind", "key", build)
        assert built("kind", "key", build) == first
        assert len(calls) == 1
        assert (first / "jar").read_text() == "x"
        assert is_built("kind", "key")

    def test_a_failed_build_leaves_nothing(self, cache: Path) -> None:
        def fail(folder: Path) -> None:
            (folder / "half").write_text("x")
            raise ServiceError("no")

        with pytest.raises(ServiceError):
            built("kind", "key", fail)
        assert not is_built("kind", "key")
        assert [path.name for path in (cache / "kind").iterdir()] == ["key.lock"]

    def test_two_at_once_build_once(self) -> None:
        calls: list[int] = []
        inside = threading.Event()

        def build(folder: Path) -> None:
            calls.append(1)
            inside.set()
            (folder / "jar").write_text("x")

        threads = [threading.Thread(target=built, args=("kind", "key", build)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert inside.is_set()
        assert len(calls) == 1

    def test_a_step_that_fails_says_where_its_log_is(self, tmp_path: Path) -> None:
        step = [sys.executable, "-c", "print('line of the log'); raise SystemExit(3)"]
        with pytest.raises(ServiceError) as caught:
            run_build("fetching", step, cwd=tmp_path, log=tmp_path / "log")
        said = str(caught.value)
        assert "ended with 3" in said
        assert "line of the log" in said
        kept = Path(said.split("whole log is ")[1].split(". Check")[0])
        assert "line of the log" in kept.read_text()

    def test_a_cache_that_cannot_be_written_names_the_remedy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("YEJI_CACHE", str(tmp_path / "file"))
        with pytest.raises(ServiceError, match="Set YEJI_CACHE"):
            built("kind", "key", lambda folder: None)


SERVE = (
    "import http.server as h, sys; "
    "h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.BaseHTTPRequestHandler).serve_forever()"
)


class TestProcess:
    """A server is known by its pid file, and no other process is ever taken for it."""

    def test_start_know_stop(self, tmp_path: Path) -> None:
        server, port = Server("web", tmp_path), free_port()
        server.start([sys.executable, "-c", SERVE, str(port)], ready=lambda: listening(port), tied=True)
        assert server.pid() is not None
        assert Server("web", tmp_path).pid() == server.pid()
        assert server.stop()
        assert server.pid() is None
        assert not listening(port)
        assert not server.stop()

    def test_a_reused_pid_is_not_ours(self, tmp_path: Path) -> None:
        server = Server("web", tmp_path)
        (tmp_path / "web.pid").write_text(json.dumps({"pid": os.getpid(), "began": 1}))
        assert server.pid() is None
        assert not server.stop(), "and is not stopped"

    @pytest.mark.parametrize("text", ["", "12", "{}", '{"pid": "x", "began": 1}'])
    def test_a_damaged_pid_file_is_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "web.pid").write_text(text)
        assert Server("web", tmp_path).pid() is None

    def test_one_that_ends_early_shows_its_log(self, tmp_path: Path) -> None:
        server = Server("web", tmp_path)
        with pytest.raises(ServiceError, match="no such table") as caught:
            server.start(
                [sys.executable, "-c", "raise SystemExit('no such table')"], ready=lambda: False, tied=True
            )
        assert "ended with 1" in str(caught.value)
        assert server.pid() is None

    def test_one_that_never_answers_is_stopped(self, tmp_path: Path) -> None:
        server = Server("web", tmp_path)
        with pytest.raises(ServiceError, match="did not answer"):
            server.start(
                [sys.executable, "-c", "import threading; threading.Event().wait()"],
                ready=lambda: False,
                tied=True,
                timeout=0.3,
            )
        assert server.pid() is None


class TestJava:
    """Which Java is taken."""

    @staticmethod
    def java(folder: Path, said: str, status: int = 0) -> Path:
        path = folder / "bin" / "java"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {status}\n")
        path.chmod(0o755)
        return path

    @pytest.mark.parametrize(
        ("said", "version"),
        [
            ('openjdk version "17.0.15" 2025-04-15', 17),
            ('java version "1.8.0_392"', 8),
            ('openjdk version "21" 2023-09-19', 21),
            ("no java here", None),
        ],
    )
    def test_versions(self, tmp_path: Path, said: str, version: int | None) -> None:
        assert java_version(self.java(tmp_path, said)) == version

    def test_one_that_fails_or_is_not_there(self, tmp_path: Path) -> None:
        assert java_version(self.java(tmp_path, 'openjdk version "17"', status=1)) is None
        assert java_version(tmp_path / "none") is None

    def test_java_home_comes_first_and_too_old_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new = self.java(tmp_path / "new", 'openjdk version "21.0.1"')
        old = self.java(tmp_path / "old", 'openjdk version "11.0.1"')
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / "new"))
        monkeypatch.setenv("PATH", str(old.parent))
        assert find_java() == new
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(ServiceError, match=r"version 11.*Install Java 17"):
            find_java()


class TestCommand:
    """`make services` and its sisters."""

    def test_missing_names_what_the_cache_lacks(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["missing"]) == 0
        assert capsys.readouterr().out.split() == ["kafka", "influxd"], "Java and Go are here"

    def test_status_of_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["status", "--folder", str(tmp_path)]) == 1
        said = capsys.readouterr().out
        assert "Kafka     does not run" in said
        assert "InfluxDB  does not run" in said

    def test_stopping_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["stop", "--folder", str(tmp_path)]) == 0
        assert capsys.readouterr().out.count("did not run") == 2

    def test_the_settings_are_the_owners(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "environment"
        service = InfluxService("http://127.0.0.1:1", "o", "b", "t0ken")
        command.write_environment(path, "127.0.0.1:2", service)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "t0ken" not in repr(service)
        monkeypatch.chdir(tmp_path)
        for line in path.read_text().splitlines():
            if not line.startswith("#"):
                monkeypatch.setenv(*line.split("=", 1))
        from streams.settings import load_settings

        settings = load_settings()
        assert settings.kafka.brokers == "127.0.0.1:2"
        assert settings.influx.token
        assert settings.influx.token.get_secret_value() == "t0ken"

    @pytest.mark.services
    def test_a_taken_port_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("YEJI_CACHE")
        server, port = Server("web", tmp_path), free_port()
        server.start([sys.executable, "-c", SERVE, str(port)], ready=lambda: listening(port), tied=True)
        try:
            with pytest.raises(ServiceError, match=rf"Port {port} is taken.*--kafka-port"):
                KafkaNode(tmp_path / "kafka", port).start()
            with pytest.raises(ServiceError, match=rf"Port {port} is taken.*--influx-port"):
                InfluxNode(tmp_path / "influx", port).start()
        finally:
            server.stop()


class TestPrepare:
    """deploy/ci/prepare on a machine that lacks everything, without root."""

    @pytest.fixture
    def bare(self, tmp_path: Path, cache: Path) -> dict[str, str]:
        """An environment with hardly a program, of somebody who is not root."""
        programs = tmp_path / "programs"
        programs.mkdir()
        for name in ("bash", "dirname", "head", "grep", "env"):
            (programs / name).symlink_to(shutil.which(name) or name)
        (programs / "id").write_text("#!/bin/sh\necho 1000\n")
        (programs / "id").chmod(0o755)
        venv = tmp_path / "venv" / "bin"
        venv.mkdir(parents=True)
        (venv / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (venv / "python").chmod(0o755)
        (venv / "go").write_text("#!/bin/sh\necho go1.27.0\n")
        (venv / "go").chmod(0o755)
        return {
            "PATH": str(programs),
            "VENV": str(tmp_path / "venv"),
            "YEJI_CACHE": str(cache),
            "HOME": str(tmp_path),
        }

    @staticmethod
    def run(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["/bin/bash", str(PREPARE), *words], env=env, capture_output=True, text=True)

    def test_it_names_what_is_missing_and_goes_on(self, bare: dict[str, str]) -> None:
        done = self.run(bare)
        assert done.returncode == 0, done.stderr
        (line,) = (line for line in done.stderr.splitlines() if "sudo apt-get install" in line)
        wanted = {"chromium", "fonts-noto-cjk", "maven", "gcc", "pkg-config", "cargo"}
        assert wanted <= set(line.split("install ")[1].split())
        assert "tests that need them will be skipped" in done.stderr

    def test_in_ci_it_stops(self, bare: dict[str, str]) -> None:
        assert self.run({**bare, "CI": "true"}).returncode == 1

    def test_services_need_what_services_need(self, bare: dict[str, str]) -> None:
        done = self.run(bare, "services")
        assert done.returncode == 1
        assert "maven" in done.stderr
        assert "chromium" not in done.stderr

    def test_wrong_use(self, bare: dict[str, str]) -> None:
        done = self.run(bare, "everything")
        assert done.returncode == 2
        assert "'everything' is not known" in done.stderr
