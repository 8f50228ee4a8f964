"""The sentence that leads, in both languages, and the checks that follow."""

import numpy as np
import pytest

from connectors.simulator import plant_classes
from desk.advice.advisor import Advisor
from desk.advice.catalogue import built_in
from desk.advice.sentence import Course
from desk.advice.trend import trend
from pipeline.cause import Cause
from pipeline.records import AlarmKind, Contribution
from pipeline.settings import ClassSettings, PipelineSettings
from tests.desk.advice.test_likelihood import event

H = 3_600_000
FOURTEEN_HOURS = Course(14 * H, trend="up")
BEARING = (Contribution("vib_de", 0.8, 3.81, 2.13, 9.0), Contribution("bearing_temperature", 0.2, 60, 50, 5))
SENSORS = {
    "vib_de": {"unit": "mm/s", "label": "vibration", "label_ko": "진동"},
    "bearing_temperature": {"unit": "degC", "label": "bearing temperature", "label_ko": "베어링 온도"},
}


@pytest.fixture
def advisor() -> Advisor:
    classes = plant_classes() | {"pump": ClassSettings.model_validate({"sensors": SENSORS})}
    return Advisor(PipelineSettings(classes=classes), lambda _: built_in())


def say(advisor: Advisor, one, likely=(), course=FOURTEEN_HOURS, language="en") -> str:
    return advisor.advise(one, likely, course, language).sentence


def test_the_sentence_names_part_place_value_usual_and_since_when(advisor: Advisor):
    one = event("pump", *BEARING)
    likely = (("bearing-wear", 0.72),)
    assert say(advisor, one, likely) == (
        "Bearing at the drive end runs rough: vibration 3.81 mm/s, usual 2.13, rising for 14 h"
    )
    assert say(advisor, one, likely, language="ko") == (
        "구동측 베어링이 거칠게 돌고 있습니다: 진동 3.81 mm/s, 평소 2.13, 14시간째 상승"
    )


def test_what_is_less_sure_is_said_as_such(advisor: Advisor):
    one = event("pump", *BEARING)
    assert say(advisor, one, (("bearing-wear", 0.45),)).startswith(
        "Bearing at the drive end runs rough (probably): "
    )
    assert say(advisor, one, (("bearing-wear", 0.3),)).startswith("Vibration is higher than usual: 3.81 mm/s")
    assert say(advisor, one, (("bearing-wear", 0.3),), language="ko").startswith(
        "진동 값이 평소보다 높습니다"
    )


def test_a_mode_that_only_crews_know_is_named_and_the_next_ones_checks_are_given(advisor: Advisor):
    found = advisor.advise(
        event("pump", *BEARING), (("rat-nest", 0.7), ("bearing-wear", 0.2)), Course(H), "en"
    )
    assert [one.title("en") for one in found.likely] == ["rat-nest", "Bearing wear or pitting"]
    assert found.lead is not None
    assert found.lead.mode == "bearing-wear"
    assert not found.sentence.startswith("Bearing")


def test_limits(advisor: Advisor):
    one = event("pump", kind=AlarmKind.LIMIT, sensor="vib_de", cause=Cause("zone-c", value=4.8, limit=4.5))
    assert say(advisor, one, course=Course(20 * 60_000)) == (
        "Vibration is in zone C of ISO 20816-3 (not for long running): 4.8 mm/s, limit 4.5, for 20 min"
    )
    assert "한계 4.5" in say(advisor, one, language="ko")


@pytest.mark.parametrize("code", ["zone-c", "zone-d", "warn", "trip", "low-warn", "low-trip"])
def test_every_limit_has_its_words(advisor: Advisor, code: str):
    one = event("pump", kind=AlarmKind.LIMIT, sensor="vib_de", cause=Cause(code, value=4.8, limit=4.5))
    assert "unlike" not in say(advisor, one)
    assert "_" not in say(advisor, one)
    assert "진동" in say(advisor, one, language="ko")


def test_a_sensor_fault_is_told_as_one_and_does_not_rise(advisor: Advisor):
    one = event(
        "pump",
        kind=AlarmKind.QUALITY,
        sensor="bearing_temperature",
        cause=Cause("stuck", value=55, readings=20, most=3),
    )
    assert say(advisor, one) == "The sensor keeps saying the same value: bearing temperature, for 14 h"
    found = advisor.advise(one, (), Course(H), "ko")
    assert found.catalogue == "sensor"
    assert "믿지 말고" in found.first[0]
    unknown = event("pump", kind=AlarmKind.QUALITY, sensor="vib_de", cause=Cause("haunted"))
    assert say(advisor, unknown, language="ko").startswith("진동 센서를 믿을 수 없습니다")


def test_what_is_known_of_nothing_still_says_something(advisor: Advisor):
    found = advisor.advise(event("pump"), (), Course(H), "en")
    assert found.sentence == "The machine behaves unlike its healthy self: for 60 min"
    assert found.lead is None
    assert found.checks == ()
    missing = event("pump", Contribution("vib_de", 1.0, None, None, None))
    assert say(advisor, missing).startswith("The machine behaves unlike")


def test_an_alarm_that_is_over(advisor: Advisor):
    one = event("pump", *BEARING)
    assert say(advisor, one, (("bearing-wear", 0.7),), Course(2 * H, active=False)).endswith("lasted 2 h")
    assert say(advisor, one, (("bearing-wear", 0.7),), Course(0, active=False)).endswith("usual 2.13")


def test_a_trend_needs_more_than_noise():
    rng = np.random.default_rng(1)
    noise = 3 + 0.2 * rng.standard_normal(60)
    assert trend(noise) == ""
    assert trend(noise + np.linspace(0, 1, 60)) == "up"
    assert trend(noise - np.linspace(0, 1, 60)) == "down"
    assert trend(np.array([np.nan] * 50 + [1.0, 2.0, 3.0])) == ""
    assert trend(100 + np.linspace(0, 1, 60)) == "", "one per cent is nothing to tell people of"
