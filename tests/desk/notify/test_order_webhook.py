"""Each change of a work order goes out once: signed to a maintenance system, and as text to a mailbox."""

from __future__ import annotations

import json

import pytest

from desk.notify.signing import Receiver
from desk.rules.finding import Finding
from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from desk.service.work_orders import Done, Plan, WorkOrders
from desk.web.api.order_models import OrderOut
from pipeline.records import VerdictKind
from streams.settings import Settings
from tests.desk.rules.plant import OVEN, PRESS, raised

SECRET = "a secret of the test"


def notify(hook=None, mail=None):
    channels = {}
    if hook:
        channels["cmms"] = {"kind": "webhook", "url": f"http://127.0.0.1:{hook.port}/hook", "secret": SECRET}
    if mail:
        channels["planner"] = {"kind": "email", "url": f"smtp://127.0.0.1:{mail.port}", "to": ["p@x"]}
    route = {"channels": list(channels), "areas": ["gwangju/ggm/body"], "language": "en"}
    return {"channels": channels, "work_orders": [route]}


def test_a_maintenance_system_follows_an_order_by_signed_webhook(telling, hook):
    one = telling(notify(hook))
    one.work()
    alarm = raised(PRESS, one.now - 60_000)
    one.desk.receive([alarm])
    orders = WorkOrders(one.desk)
    order = orders.request(EVERYTHING, "", "Change bearing", by="kim", alarm=alarm.id)
    orders.request(EVERYTHING, OVEN, "elsewhere", by="kim")
    one.work(1)
    orders.start(EVERYTHING, order.id, by="lee")
    one.work(1)
    found = Finding(VerdictKind.FAULT, "bearing-wear")
    orders.finish(EVERYTHING, order.id, Done("changed", downtime=30.0, finding=found), by="lee")
    for _ in range(3):
        one.work(1)
    receiver = Receiver(SECRET)
    ids = [receiver.check(headers, body, one.now / 1000) for _, headers, body in hook.requests]
    assert len(set(ids)) == 3
    bodies = hook.bodies()
    assert [body["type"] for body in bodies] == [
        "work-order.request",
        "work-order.start",
        "work-order.finish",
    ]
    last = bodies[-1]["data"]
    assert (last["id"], last["state"], last["downtime_minutes"]) == (order.id, "done", 30.0)
    assert last["verdict"] == one.desk.verdicts(EVERYTHING)[0].id
    assert set(last) - {"seq", "by", "why"} == set(OrderOut.model_fields) - {"overdue"}
    assert sorted(body["data"]["seq"] for body in bodies) == [body["data"]["seq"] for body in bodies]
    told = [entry for entry in one.desk.journal(EVERYTHING) if entry.action is Action.TOLD]
    assert [(entry.about, entry.machine) for entry in told] == [(order.id, PRESS)] * 3


def test_a_receiver_that_was_away_gets_every_change_once_and_in_order(telling, hook):
    one = telling(notify(hook))
    one.work()
    hook.stop()
    orders = WorkOrders(one.desk)
    order = orders.request(EVERYTHING, PRESS, "look", by="kim")
    one.work(1)
    orders.start(EVERYTHING, order.id, by="kim")
    one.work(1)
    one.close()
    one.open()  # the desk starts again in between
    orders = WorkOrders(one.desk)
    orders.finish(EVERYTHING, order.id, Done("fine"), by="kim")
    hook.start()
    for _ in range(20):
        one.work(60)
    assert [body["data"]["state"] for body in hook.bodies()] == [
        "requested",
        "in-progress",
        "done",
    ]


def test_a_channel_that_is_new_is_told_how_the_open_orders_stand(telling, hook):
    one = telling({})
    orders = WorkOrders(one.desk)
    order = orders.request(EVERYTHING, PRESS, "old", by="kim")
    orders.start(EVERYTHING, order.id, by="kim")
    gone = orders.request(EVERYTHING, PRESS, "gone", by="kim")
    orders.cancel(EVERYTHING, gone.id, by="kim", why="x")
    one.close()
    one.settings = Settings(notify=notify(hook))
    one.open()
    one.work()
    one.work(1)
    (body,) = hook.bodies()
    assert (body["data"]["title"], body["data"]["state"]) == ("old", "in-progress")


def test_a_planners_mailbox_gets_it_as_text(telling, mail):
    one = telling(notify(mail=mail))
    one.work()
    plan = Plan("lee", one.now + 3_600_000, None, "Lock out first.")
    order = WorkOrders(one.desk).request(EVERYTHING, PRESS, "Change\nbearing", by="kim", plan=plan)
    one.work(1)
    ((to, message),) = mail.box.notifications
    assert to == ["p@x"]
    assert message["subject"] == "#1 Planned: Change bearing (press-07)"
    text = message.get_content()
    assert "Lock out first." in text
    assert f"/orders/{order.id}" in text
    assert json.dumps(text).count("lee") == 1


def test_an_alertmanager_takes_no_orders():
    channels = {"am": {"kind": "alertmanager", "url": "http://127.0.0.1:1"}}
    with pytest.raises(ValueError, match="takes alarms only"):
        Settings(notify={"channels": channels, "work_orders": [{"channels": ["am"]}]})
    with pytest.raises(ValueError, match="none of"):
        Settings(notify={"work_orders": [{"channels": ["x"]}]})
