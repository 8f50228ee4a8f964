"""The image's recipe: pinned, small in rights, and made of files that are there. (No Docker runs here.)"""

from __future__ import annotations

import fnmatch
import re
import tomllib

from tests.deploy.reading import REPOSITORY, setting_exists

DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()
#: Instructions with their continued lines joined.
STEPS = [
    step.split(maxsplit=1)
    for step in re.sub(r"\\\n", " ", DOCKERFILE).splitlines()
    if step.strip() and not step.startswith("#")
]


def of(kind: str) -> list[str]:
    return [step[1] for step in STEPS if step[0] == kind]


def test_two_stages_on_one_pinned_python() -> None:
    bases = [line.split()[0] for line in of("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1, "what is compiled in one stage must run in the other"
    found = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", bases[0])
    assert found
    assert (
        found[1]
        in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mypy"]["python_version"]
    )


def test_everything_is_installed_with_the_tested_versions() -> None:
    installs = [one for line in of("RUN") for one in re.findall(r"pip install[^&]*", line)]
    assert installs
    assert all("-c constraints.txt" in one for one in installs)


def test_it_runs_as_nobody_and_writes_only_its_data() -> None:
    assert of("USER") == ["10001:10001"]
    assert of("VOLUME") == ["/data"]
    after_user = [step[0] for step in STEPS[[step[0] for step in STEPS].index("USER") :]]
    assert "COPY" not in after_user
    assert of("ENTRYPOINT") == ['["yeji"]']


def test_variables_are_settings() -> None:
    names = set(re.findall(r"YEJI_\w+", " ".join(of("ENV"))))
    assert names
    assert all(name == "YEJI_CACHE" or setting_exists(name) for name in names)


def test_kernels_are_compiled_where_they_are_looked_for() -> None:
    (built,) = re.findall(r"YEJI_CACHE=(\S+) \S+python -m streams\.prepare", " ".join(of("RUN")))
    (used,) = re.findall(r"YEJI_CACHE=(\S+)", " ".join(of("ENV")))
    assert built == used
    assert used.startswith("/opt/yeji/"), "what is copied to the last stage"


def test_what_is_copied_is_there_and_not_ignored() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    taken = [line[1:] for line in lines if line.startswith("!")]
    sources = [word for line in of("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert any(fnmatch.fnmatch(source, one) for one in taken), f"{source} is not sent to the builder"
    packages = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    assert set(packages["packages"]) <= set(sources)
