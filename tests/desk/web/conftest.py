"""The plant of the desk's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from desk.access import passwords
from tests.desk.web.plant import Plant, make_plant


@pytest.fixture(autouse=True)
def _quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time, but where the hash itself is tested: a right one takes half a second here."""
    if request.node.get_closest_marker("real_passwords") is None:
        monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        passwords._nobody.cache_clear()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plant's files, made once; each test gets a copy."""
    folder = tmp_path_factory.mktemp("desk")
    make_plant(folder).close()
    return folder


@pytest.fixture
def plant(tmp_path: Path, filled: Path) -> Iterator[Plant]:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    plant = make_plant(tmp_path)
    yield plant
    plant.close()
