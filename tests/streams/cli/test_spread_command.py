"""`yeji spread`: out of one folder, into another."""

import pytest
from typer.testing import CliRunner

from connectors.files.priors import adopted_priors, read_prior
from connectors.sqlite.store import SqliteSink
from desk.learning.modes import ModeBook
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from pipeline.pipeline import Pipeline
from pipeline.records import Results, VerdictKind
from pipeline.settings import ClassSettings, DetectorSettings
from pipeline.spreading.prior import PriorError
from streams.cli import make_app
from streams.settings import load_settings
from tests.desk.rules.plant import raised
from tests.pipeline.plant import recording

LEAD, NEW = "gwangju/ggm/body/line-1/press-1", "ulsan/plant/body/line-1/press-9"
TOML = """
[classes.press]
detectors = [{kind = "mspc"}]
learning = {warmup = 100, block = 8}
"""


def yeji(*arguments):
    result = CliRunner().invoke(make_app(), ["spread", *arguments])
    return result.exit_code, result.output, result.exception


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yeji.toml").write_text(TOML)
    settings = load_settings()
    pipeline = Pipeline(settings)
    pipeline.process([recording(LEAD, 500, 1)])
    with SqliteSink(tmp_path / "var" / "csv.sqlite") as sink:
        sink.write(Results(), snapshots={LEAD: pipeline.dump(LEAD), "broken": b"YEJI"})
    desk = Desk(tmp_path / "var" / "desk.sqlite", settings)
    ModeBook(desk)
    desk.receive([raised(LEAD)])
    desk.close_alarm(EVERYTHING, raised(LEAD).id, Finding(VerdictKind.FAULT, "bearing-wear"), by="Kim")
    desk.close()
    return tmp_path


def test_from_the_lead_site_to_another(site):
    code, output, error = yeji(
        "export",
        "press",
        "press.yjpr",
        "--tenant",
        "gwangju/ggm",
        "--least",
        "200",
        "--store",
        "var/csv.sqlite",
    )
    assert code == 0, error
    assert "labels: bearing-wear (1)" in output
    assert "1 unreadable snapshots were skipped" in output
    assert yeji("show", "press.yjpr")[1] in output
    code, output, error = yeji(
        "import", "press.yjpr", "--tenant", "ulsan/plant", "--data", "other", "--by", "Lee"
    )
    assert code == 0, error
    assert "begin after 20 readings instead of 100" in output
    [prior] = adopted_priors(site / "other")
    assert (prior.machine_class, prior.machines) == ("press", 1)
    desk = Desk(site / "other" / "desk.sqlite", load_settings())
    assert [mode for mode, _ in ModeBook(desk).name(raised(NEW))] == ["bearing-wear"]
    assert ModeBook(desk).name(raised("third/party/a/b/c")) == ()
    desk.close()
    assert "say --tenant" in yeji("import", "press.yjpr", "--data", "third")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("export", "press", "x.yjpr"), "let it run longer"),
        (("export", "press", "x.yjpr", "--store", "none.sqlite"), "is no file"),
        (("show", "none.yjpr"), "cannot be read"),
        (("import", "yeji.toml"), "no package"),
    ],
)
def test_what_goes_wrong_is_said(site, arguments, says):
    code, _, error = yeji(*arguments)
    assert code != 0
    assert says in str(error)


def test_a_package_is_compared_with_the_detectors_that_a_class_has_by_default(site, monkeypatch):
    assert yeji("export", "press", "press.yjpr", "--least", "200")[0] == 0
    (site / "yeji.toml").write_text(TOML.replace('detectors = [{kind = "mspc"}]\n', ""))
    default = [one.kind for one in load_settings().classes["press"].detectors_for(3)]
    refused = str(yeji("import", "press.yjpr", "--data", "other")[2])
    assert f"with the detectors mspc, and class press has {', '.join(default)} here" in refused
    chosen = [DetectorSettings(kind="mspc")]
    monkeypatch.setattr(ClassSettings, "detectors_for", lambda self, width: self.detectors or chosen)
    code, output, error = yeji("import", "press.yjpr", "--data", "other")
    assert code == 0, error
    assert "begin after 20 readings instead of 100" in output


def test_a_package_for_another_class_or_other_detectors_is_refused(site):
    assert yeji("export", "press", "press.yjpr", "--least", "200")[0] == 0
    (site / "yeji.toml").write_text(TOML.replace('"mspc"', '"loda"'))
    assert "Give it the same" in str(yeji("import", "press.yjpr")[2])
    (site / "yeji.toml").write_text(TOML.replace("press", "pump"))
    assert "which the settings do not have" in str(yeji("import", "press.yjpr")[2])


def test_a_damaged_prior_is_not_left_out_silently(site):
    (site / "var" / "priors").mkdir()
    (site / "var" / "priors" / "press.yjpr").write_bytes(b"x")
    with pytest.raises(PriorError, match=r"press.yjpr: This is no package"):
        adopted_priors(site / "var")
    with pytest.raises(PriorError, match="cannot be read"):
        read_prior(site / "none")
