"""Every sentence that the code can say to a crew has a Korean one."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator

import numpy as np
import pytest

import desk.rules.desk
import desk.service.desk
import desk.web.pages.alarms
from desk.notify.dispatcher import channel_alarm
from desk.rules.korean import said
from desk.rules.life import Event, Refusal
from desk.store.outbox import ChannelState
from detectors.decision.limits import Limit, LimitTransition
from detectors.quality.quality import Fault, FleetQuality
from pipeline.events import limit_event
from pipeline.limits import limits_of
from pipeline.settings import ClassSettings


def english_left(text: str) -> list[str]:
    """Words of ``text`` in English: names, units and kinds of failure stay, sentences do not."""
    words = re.findall(r"[A-Za-z][a-z]{2,}", said(text, "ko"))
    return [one for one in words if one not in ("bearing", "wear", "press", "mail")]


def texts(node: ast.AST) -> Iterator[str]:
    """The sentences in ``node``, with a number for each value in them."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(one.value) if isinstance(one, ast.Constant) else "" if "end" in ast.dump(one) else "3"
            for one in node.values
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def refusals() -> list[str]:
    found = []
    for module in (desk.service.desk, desk.rules.desk, desk.web.pages.alarms):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RefusedError":
                found += texts(node.args[0])
    return found


@pytest.mark.parametrize("text", [one for one in refusals() if "is not possible: " not in one])
def test_a_refusal(text):
    assert said(text, "en") == text
    assert not english_left(text)


@pytest.mark.parametrize("refusal", Refusal)
def test_an_act_that_has_no_place_in_a_state(refusal):
    for event in (Event.ACKNOWLEDGE, Event.CLOSE, Event.SHELVE_ONCE, Event.SHELVE_TIMED, Event.UNSHELVE):
        assert not english_left(f"{event.value} is not possible: {refusal.value}.")
    for event in (Event.OUT_OF_SERVICE, Event.IN_SERVICE):
        assert not english_left(f"{event.value} is not possible: {refusal.value}.")


def test_what_is_wrong_with_a_sensor():
    details = []
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(FleetQuality._detail)))):
        if isinstance(node, ast.Return) and node.value is not None:
            details += [one for one in texts(node.value) if len(one) > 25]
    assert len(details) == 6
    for detail in [*details, "3 for 3 readings, at the end of its range; at most 3 in its history"]:
        told = [f"{kind}: {detail}" for kind in Fault]
        assert any(not english_left(one) for one in told), detail
    assert not any(english_left(str(kind)) for kind in Fault)


def test_a_limit_that_is_crossed():
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
        assert isinstance(limit, Limit)
        crossed = limit_event("m", "c", ("v", "p"), LimitTransition(0, 0, limit, True, 0, 0, np.pi))
        assert not english_left(crossed.detail)
        assert "3.14159" in said(crossed.detail, "ko")


def test_a_channel_that_fails():
    told = channel_alarm("mail", ChannelState(5, 0, 0, "Connection refused"), 0).detail
    assert said(told, "ko") == "채널 mail 전송 5회 실패: Connection refused"
