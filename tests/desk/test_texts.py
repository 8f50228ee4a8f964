"""The catalogue of texts: whole in every language, and a language more is one file."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.notify.base import ChannelError
from desk.notify.dispatcher import channel_alarm
from desk.rules.desk import RefusedError, act
from desk.rules.journal import Action
from desk.rules.life import AlarmState, Event, Refusal
from desk.rules.point import new_point
from desk.rules.routing import Kind
from desk.store.outbox import ChannelState
from desk.texts import catalogue, new_language
from desk.texts.catalogue import Texts, keys, languages
from detectors.decision.limits import LimitTransition
from detectors.quality.quality import Fault, QualityTransition
from pipeline.cause import CAUSES, Cause
from pipeline.events import limit_code, limit_event, quality_event
from pipeline.limits import limits_of
from pipeline.priority import Priority
from pipeline.records import AlarmKind, VerdictKind
from pipeline.settings import ClassSettings
from pipeline.wire.alerts import decode_alert, encode_alert
from streams.settings import Settings
from tests.desk.rules.plant import PRESS, raised

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("pipeline", "connectors", "desk", "streams")
SOURCES = [path for room in ROOMS for path in (REPOSITORY / room).rglob("*")]
PYTHON = [path for path in SOURCES if path.suffix == ".py"]
TEMPLATES = [path for path in SOURCES if path.suffix in (".html", ".j2")]
OTHERS = [one for one in languages() if one != "en"]


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"{\w+}", text))


# -- whole


def test_english_stands_first_and_languages_are_called_as_they_call_themselves():
    assert next(iter(languages())) == "en"
    assert languages()["en"] == "English"


@pytest.mark.parametrize("language", OTHERS)
def test_no_language_lacks_a_text_or_has_one_too_many(language: str):
    english = keys("en")
    assert not {key for key in english if key.startswith("cause.")} & {f"cause.{code}" for code in CAUSES}
    wanted = english | {f"cause.{code}": (text,) for code, text in CAUSES.items()}
    assert set(keys(language)) == set(wanted)
    for key, texts in keys(language).items():
        for text in texts:
            assert text.strip(), key
            assert placeholders(text) == placeholders(wanted[key][-1]), key


def codes_of(*names: str) -> set[str]:
    """The codes that the code makes causes or errors of."""
    found = set()
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args:
                first = node.args[0]
                given = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                found |= {str(one.value) for one in given if isinstance(one, ast.Constant) and one.value}
    return found


def test_every_code_has_words():
    causes = codes_of(
        "Cause", "because", *(one.__name__ for one in (ChannelError, *ChannelError.__subclasses__()))
    )
    assert {"mail.clear", "delivery.again", "channel.failed"} <= causes
    causes |= {str(one) for one in Fault} | {"saturated.run", "silence"}
    causes -= {"unknown"}
    assert {one for one in causes if one not in CAUSES} <= {key.removeprefix("cause.") for key in keys("en")}
    refusals = codes_of("RefusedError")
    assert {"comment-empty", "shelf-too-long"} <= refusals
    assert {f"refused.{one}" for one in refusals | set(Refusal)} <= set(keys("en"))


def test_every_text_that_is_asked_for_is_there_and_every_text_is_asked_for():
    source = "".join(path.read_text(encoding="utf-8") for path in (*PYTHON, *TEMPLATES))
    asked = set(re.findall(r"""\bt\(["']([^"'{}]+)["'] *[,)]""", source))
    assert {"fleet.title", "desk.none"} <= asked
    assert asked <= set(keys("en"))
    begun = set(re.findall(r"""\bt\(\(*["']([\w.-]+\.)["'] *~""", source))
    begun |= set(re.findall(r"""[\bt)]\(f["']([\w.-]+\.)\{""", source))
    assert {"state.", "verdict."} <= begun
    assert all(any(key.startswith(one) for key in keys("en")) for one in begun)
    named = set(re.findall(r"""["']([\w .-]+)["']""", source))
    coded = ("cause.", "refused.", "name.", "event.", "done.")
    unused = {one for one in keys("en") if one not in named and not one.startswith((*begun, *coded))}
    assert unused == set()


def test_every_value_of_a_state_has_a_word():
    needed = {f"entry.{one}" for one in Action} | {f"life.{one}" for one in AlarmState}
    needed |= {f"priority.{one.name.lower()}" for one in Priority}
    needed |= {f"message.priority.{one.name.lower()}" for one in Priority}
    needed |= {f"verdict.{one}" for one in VerdictKind} | {f"kind.{one}" for one in AlarmKind}
    needed |= {f"message.what.{one}" for one in AlarmKind} | {f"name.{one}" for one in Fault}
    needed |= {f"notification.{one}" for one in Kind} | {f"message.subject.{one}" for one in Kind}
    needed |= {f"message.intro.{one}" for one in Kind if one is not Kind.ALARM}
    assert needed <= set(keys("en"))


def test_a_key_that_there_is_not_is_named():
    with pytest.raises(KeyError, match="no text is called"):
        Texts("en")("no.such.key")


# -- causes and refusals


def english_left(text: str) -> list[str]:
    """English words in ``text``: names, units and what other systems say stay."""
    return [one for one in re.findall(r"[A-Za-z][a-z]{2,}", text) if one not in ("bearing", "wear")]


def test_a_sensor_fault_in_korean():
    values = {"value": 9.5, "readings": 12, "most": 3}
    told = QualityTransition(
        row=0,
        index=0,
        sensor=1,
        kind="saturated",
        raised=True,
        onset=0,
        time=1,
        code="saturated.run",
        values=values,
    )
    event = quality_event(PRESS, "press", ("v", "p"), told)
    assert event.detail == "saturated: 9.5 for 12 readings, at the end of its range; at most 3 in its history"
    assert Texts("ko").cause(event) == "측정 범위 끝: 측정 범위 끝값 9.5이(가) 12회 연속, 이전 최대 3회"


def test_limits_in_korean():
    every = ClassSettings.model_validate(
        {
            "sensors": {
                "v": {"iso20816": {"group": 2}},
                "p": {"warn": 3, "trip": 4, "low_warn": 2, "low_trip": 1},
            }
        }
    )
    limits = limits_of(every, ("v", "p"))
    assert len(limits) == 6
    for limit in limits:
        crossed = limit_event(
            "m",
            "c",
            ("v", "p"),
            LimitTransition(row=0, index=0, limit=limit, raised=True, onset=0, time=0, value=np.pi),
        )
        assert crossed.detail == f"{limit.name}: 3.14159, limit {limit.value:g}"
        assert crossed.code == limit_code(limit.name)
        assert not english_left(Texts("ko").cause(crossed))
        assert "3.14159" in Texts("ko").cause(crossed)


@pytest.mark.parametrize("event", [one for one in Event if f"event.{one}" in keys("en")])
@pytest.mark.parametrize("refusal", Refusal)
def test_an_act_that_has_no_place_in_a_state(refusal: Refusal, event: Event):
    error = RefusedError("not-possible", event=str(event), because=str(refusal))
    assert Texts("en").refused(error).startswith(Texts("en")(f"event.{event}"))
    assert not english_left(Texts("ko").refused(error))


def test_a_refusal_says_which_act_and_why():
    with pytest.raises(RefusedError) as error:
        act(new_point(raised(PRESS), 2), Event.UNSHELVE, at=0, by="kim")
    assert Texts("en").refused(error.value) == "unshelve is not possible: it is not shelved."
    assert Texts("ko").refused(error.value) == "보류 해제할 수 없음: 보류 중이 아닙니다."


def test_a_channel_that_fails():
    cause = Cause("mail.broken", error="Connection refused")
    told = channel_alarm("mail", ChannelState(5, 0, 0, None, cause), 0)
    assert told.detail == "channel mail failed 5 times: the mail server broke off: Connection refused"
    assert Texts("ko").cause(told) == "채널 mail 전송 5회 실패: 메일 서버와의 연결이 끊김: Connection refused"


def test_a_fault_that_ends_is_named():
    over = quality_event(
        PRESS,
        "",
        ("v",),
        QualityTransition(
            row=0, index=0, sensor=0, kind="stuck", raised=False, onset=0, time=1, code="stuck", values={}
        ),
    )
    assert (over.detail, over.code) == ("stuck", "stuck")
    assert Texts("ko").cause(over) == "값 고정"


def test_an_alarm_of_before_there_were_causes_keeps_its_words():
    old = encode_alert(raised(PRESS, kind=AlarmKind.QUALITY, sensor="v", detail="stuck: 3 for 9 readings"))
    body = msgspec.json.decode(old)
    del body["cause"]
    event = decode_alert(msgspec.json.encode(body))
    assert (event.cause, event.detail) == (None, "stuck: 3 for 9 readings")
    assert Texts("ko").cause(event) == "stuck: 3 for 9 readings"


values = st.dictionaries(
    st.text("abcdefgh_", min_size=1),
    st.one_of(st.integers(-(2**60), 2**60), st.floats(), st.text(max_size=20)),
    max_size=4,
)


@given(st.one_of(st.sampled_from([*CAUSES, "channel.failed", "because"]), st.text(max_size=20)), values)
def test_any_cause_goes_over_the_wire_and_can_be_said(code: str, given_values: dict[str, int | float | str]):
    cause = Cause(code, **given_values)
    event = decode_alert(encode_alert(raised(PRESS, kind=AlarmKind.LIMIT, cause=cause)))
    assert event.cause == cause
    assert event.detail == str(cause)
    for language in languages():
        assert isinstance(Texts(language).cause(event), str)


# -- a language more


@pytest.fixture
def japanese(tmp_path, monkeypatch):
    folder = tmp_path / "locale"
    shutil.copytree(catalogue.LOCALE, folder)
    text = (folder / "ko.po").read_text(encoding="utf-8").replace("Language: ko", "Language: ja")
    text = text.replace('msgid "fleet.title"\nmsgstr "설비 현황"', 'msgid "fleet.title"\nmsgstr "設備一覧"')
    text = text.replace('msgid "alarms"\nmsgstr "알람"', 'msgid "alarms"\nmsgstr ""')
    (folder / "ja.po").write_text(text, encoding="utf-8")
    monkeypatch.setattr(catalogue, "LOCALE", folder)
    catalogue.forget()
    yield
    monkeypatch.undo()
    catalogue.forget()


def test_a_language_more_is_one_file(japanese, tmp_path):
    from desk.web.page.app import Page

    assert languages() == {"en": "English", "ja": "日本語", "ko": "한국어"}
    sensors = {"vibration": {"label": "Vibration", "labels": {"ja": "振動"}}}
    settings = Settings(
        page={"language": "ja"},
        notify={
            "channels": {"m": {"kind": "email", "url": "smtp://x", "to": ["a@x"]}},
            "crews": {"c": {"channels": ["m"], "language": "ja"}},
        },
        classes={"press": {"match": ["*"], "sensors": sensors}},
    )
    with pytest.raises(ValueError, match="there are en, ja, ko"):
        Settings(page={"language": "fr"})
    sink = SqliteSink(tmp_path / "yeji.sqlite")
    sink.setup()
    sink.close()
    history = SqliteHistory(tmp_path / "yeji.sqlite")
    page = TestClient(Page(history, settings).app(), base_url="http://127.0.0.1").get("/alarms")
    history.close()
    assert '<html lang="ja"' in page.text
    assert Texts("ja")("fleet.title") == "設備一覧"
    assert ">Alarms<" in page.text, "what is not translated is in English"
    assert '<button name="language" value="ko" lang="ko">한국어</button>' in page.text
    assert settings.classes["press"].sensors["vibration"].label_in("ja") == "振動"
    assert Texts("ja").cause(Cause("trip", value=1, limit=2)).startswith("정지")


def test_a_new_languages_file_begins_with_every_text_and_its_english(japanese):
    path, waiting = new_language.complete("de")
    assert waiting == len(keys("en")) + len(CAUSES)
    text = path.read_text(encoding="utf-8")
    assert '#. Nothing waits\nmsgid "desk.none"\nmsgstr ""' in text
    assert "nplurals=2" in text
    assert Texts("de")("desk.none") == "Nothing waits", "until it is translated"
    path.write_text(text.replace('msgid "desk.none"\nmsgstr ""', 'msgid "desk.none"\nmsgstr "Nichts wartet"'))
    catalogue.forget()
    assert new_language.complete("de") == (path, waiting - 1)
    assert Texts("de")("desk.none") == "Nichts wartet"
    assert languages()["de"] == "Deutsch"


def test_no_language_of_that_code(capsys):
    assert new_language.main(["klingon"]) == 2
    assert "Name a language by its code" in capsys.readouterr().err
    assert new_language.main([]) == 2
