"""Real SMTP and HTTP servers that go down and come up: nothing is lost, nothing arrives twice."""

import time

import pytest
from standardwebhooks import Webhook

from desk.notify.signing import Receiver, RepeatedError, SignatureError, sign
from desk.rules.finding import Finding
from desk.rules.journal import Action
from desk.rules.routing import OWN
from desk.rules.scope import EVERYTHING, Scope
from desk.store.outbox import prune
from desk.texts.catalogue import Texts, english
from desk.texts.entries import words
from pipeline.cause import Cause
from pipeline.records import Contribution, VerdictKind
from pipeline.settings import ClassSettings
from tests.desk.rules.plant import OVEN, PRESS, cleared, limit, raised, silent

SECRET = "a secret of the plant"
TENANT = Scope.of("gwangju/ggm")


def by_mail(server, to=("crew@plant.test",), **more):
    return {"kind": "email", "url": f"smtp://127.0.0.1:{server.port}", "to": list(to), "timeout": 3} | more


def by_hook(server, **more):
    return {
        "kind": "webhook",
        "url": f"http://127.0.0.1:{server.port}/in",
        "secret": SECRET,
        "timeout": 3,
    } | more


def everyone(language="en", **channels):
    return {
        "channels": channels,
        "crews": {"crew": {"channels": list(channels), "language": language}},
        "routes": [{"crews": ["crew"]}],
    }


def states(telling):
    with telling.desk.store.reading() as r:
        return dict(r.db.execute("SELECT state, count(*) FROM outbox GROUP BY state"))


def test_a_letter_says_what_since_when_how_far_off_and_what_was_done_last_time(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)), url="https://desk.plant.test")
    old = raised(PRESS, onset=0)
    desk.desk.receive([old, cleared(PRESS, onset=0)])
    desk.desk.close_alarm(
        TENANT,
        old.id,
        Finding(VerdictKind.FAULT, "bearing-wear", part="6205", comment="bearing\nreplaced"),
        by="Kim",
    )
    desk.desk.modes = lambda _: (("bearing-wear", 0.83),)
    event = raised(PRESS, onset=1_767_581_000_000)
    desk.desk.receive([event])
    assert desk.work() == 1
    [(to, notification)] = mail.box.notifications
    assert to == ["crew@plant.test"]
    assert notification["subject"] == "[Medium] press-07: Bearing runs rough: vibration 9.1, usual 3"
    text = notification.get_content()
    for part in (
        "Machine: gwangju/ggm/body/line-2/press-07",
        "Since: 2026-01-05 11:43 KST",
        "- vibration: 9.1, expected 3 (+6.1 standard deviations), 70% of the score",
        "Bearing runs rough: vibration 9.1, usual 3",
        "Check first:",
        "1. Listen at the housing",
        "Safety: Lock out and tag out",
        "Likely: Bearing wear or pitting (83%)",
        "Confirmed fault, bearing-wear, part 6205: bearing replaced (Kim)",
        f"https://desk.plant.test/alarms/{event.id}",
    ):
        assert part in text
    assert notification["message-id"].endswith("@yeji>")
    assert notification["auto-submitted"] == "auto-generated"


def test_korean(telling, mail):
    desk = telling(everyone("ko", mail=by_mail(mail)))
    desk.settings.classes["press"] = ClassSettings.model_validate(
        {"sensors": {"vibration": {"unit": "mm/s", "label_ko": "진동"}}}
    )
    desk.desk.receive([raised(PRESS, desk.now)])
    desk.work()
    [(_, notification)] = mail.box.notifications
    assert (
        notification["subject"]
        == "[보통] press-07: 베어링이 거칠게 돌고 있습니다 (추정): 진동 9.1 mm/s, 평소 3"
    )
    assert "- 진동: 9.1 mm/s, 기대값 3 mm/s (표준편차의 +6.1배), 점수의 70%" in notification.get_content()


def test_a_channel_down_for_ten_minutes_loses_nothing_and_tells_nothing_twice(telling, mail, hook):
    desk = telling(everyone(mail=by_mail(mail), hook=by_hook(hook)), flood=1000, group=0)
    desk.settings.notify.crews["crew"].budget = 10_000
    machines = [f"gwangju/ggm/body/line-{k}/press" for k in range(20)]
    mail.stop()
    hook.answer = lambda n: 503
    for k, machine in enumerate(machines):
        desk.desk.receive([raised(machine, onset=k)])
        desk.work(30)
        if k == 10:  # the desk itself falls over in the middle
            desk.close()
            desk.open()
            desk.dispatcher.recover()
    assert mail.box.notifications == []
    assert states(desk)["waiting"] == 42, "20 alarms by each, and word of each channel by the other"
    own = [one for one in desk.desk.open_alarms(EVERYTHING) if one.machine.startswith(OWN)]
    assert sorted(one.machine.rpartition("/")[2] for one in own) == ["hook", "mail"], (
        "they raise their alarms"
    )
    mail.start()
    hook.answer = lambda n: 200
    failed = len(hook.requests)
    for _ in range(40):
        desk.work(30)
    told = [
        notification["subject"]
        for _, notification in mail.box.notifications
        if "press" in notification["subject"]
    ]
    assert len(told) == 20
    ids = [notification["message-id"] for _, notification in mail.box.notifications]
    assert len(set(ids)) == len(ids)
    taken = [headers["webhook-id"] for _, headers, _ in hook.requests[failed:]]
    assert len(set(taken)) == len(taken)
    fired = [b["alerts"][0]["labels"]["machine"] for b in hook.bodies()[failed:] if b["status"] == "firing"]
    assert sorted(m for m in fired if not m.startswith(OWN)) == sorted(machines)
    assert states(desk).keys() <= {"sent", "folded"}
    own = [one for one in desk.desk.open_alarms(EVERYTHING) if one.machine.startswith(OWN)]
    assert not any(one.active for one in own), "a channel that works again ends its alarm"
    entries = desk.desk.journal(EVERYTHING, limit=10_000)
    assert sum(e.action is Action.TOLD and not e.machine.startswith(OWN) for e in entries) == 40


def test_a_dead_channel_is_told_of_by_the_others_and_not_by_itself(telling, mail, hook):
    desk = telling(everyone(mail=by_mail(mail), hook=by_hook(hook)), group=0)
    mail.stop()
    desk.desk.receive([raised(PRESS)])
    for _ in range(8):
        desk.work(60)
    assert any(OWN in str(b) and "mail failed 5 times" in b["yeji"]["text"] for b in hook.bodies())
    mail.start()
    for _ in range(8):
        desk.work(60)
    assert len(mail.box.notifications) == 1
    assert "press-07" in mail.box.notifications[0][1]["subject"]


def test_a_signed_webhook_in_alertmanagers_form_and_its_end(telling, hook):
    desk = telling(everyone(hook=by_hook(hook)))
    event = raised(PRESS, onset=1_767_581_000_000)
    desk.desk.receive([event])
    desk.work()
    desk.desk.acknowledge(TENANT, event.id, by="Kim")
    desk.work(10)
    assert len(hook.requests) == 1, "acknowledged is not over"
    desk.desk.receive([cleared(PRESS, onset=1_767_581_000_000, time=event.time + 5)])
    desk.work(10)
    desk.work(10)
    firing, resolved = hook.bodies()
    assert (firing["version"], firing["status"], resolved["status"]) == ("4", "firing", "resolved")
    alert = firing["alerts"][0]
    assert alert["startsAt"] == "2026-01-05T02:43:20.000Z"
    assert alert["labels"]["area"] == "body"
    assert resolved["alerts"][0]["fingerprint"] == alert["fingerprint"]
    assert resolved["alerts"][0]["endsAt"] == "2026-01-05T03:00:20.000Z"
    receiver = Receiver(SECRET)
    path, headers, body = hook.requests[0]
    now = desk.now / 1000
    assert path == "/in"
    assert receiver.check(headers, body, now) == firing["yeji"]["id"]
    with pytest.raises(RepeatedError):
        receiver.check(headers, body, now)
    with pytest.raises(SignatureError, match="does not fit"):
        receiver.check(headers, body + b" ", now)
    with pytest.raises(SignatureError, match="off"):
        receiver.check(headers, body, now + 3600)
    with pytest.raises(SignatureError, match="not text"):
        receiver.check(headers, b"\xff", now)
    with pytest.raises(SignatureError, match="no moment"):
        receiver.check({**headers, "webhook-timestamp": "9" * 30}, body, now)
    fresh = {**headers, "webhook-timestamp": str(stamp := int(time.time()))}
    fresh["webhook-signature"] = sign(SECRET, headers["webhook-id"], stamp, body)
    assert Webhook(SECRET.encode()).verify(body, fresh) == firing, "as any receiver of the standard reads it"
    with pytest.raises(SignatureError, match="missing"):
        receiver.check({}, body, now)


def test_a_receiver_that_takes_it_and_says_nothing_knows_the_second_try(telling, hook):
    desk = telling(everyone(hook=by_hook(hook)))
    hook.answer = lambda n: 0 if n == 1 else 200
    desk.desk.receive([raised(PRESS)])
    for _ in range(3):
        desk.work(10)
    first, second = hook.requests
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    receiver = Receiver(SECRET)
    receiver.check(first[1], first[2], desk.now / 1000)
    with pytest.raises(RepeatedError):
        receiver.check(second[1], second[2], desk.now / 1000)


def test_alertmanager_itself(telling, hook):
    url = f"http://127.0.0.1:{hook.port}"
    desk = telling(everyone(am={"kind": "alertmanager", "url": url}))
    desk.desk.receive([raised(PRESS)])
    desk.work()
    desk.desk.receive([cleared(PRESS)])
    event = desk.desk.open_alarms(TENANT)[0]
    desk.desk.acknowledge(TENANT, event.id, by="Kim")
    desk.work(5)
    (path, _, _), _ = hook.requests
    [[firing], [ended]] = hook.bodies()
    assert path == "/api/v2/alerts"
    assert firing["labels"] == ended["labels"]
    assert firing["labels"]["alertname"] == "YejiCondition"
    assert firing["endsAt"] == "2026-01-12T03:00:00.000Z"
    assert ended["endsAt"] == "2026-01-05T03:00:05.000Z"


def test_a_letter_that_is_refused_for_good_blocks_no_other(telling, hook):
    desk = telling(everyone(hook=by_hook(hook)), group=0)
    hook.answer = lambda n: 400 if n == 1 else 200
    desk.desk.receive([raised(PRESS)])
    desk.work()
    desk.desk.receive([raised(OVEN)])
    desk.work(1)
    assert states(desk) == {"unsent": 1, "sent": 1}
    [unsent] = [e for e in desk.desk.journal(TENANT) if e.action is Action.UNSENT]
    assert unsent.machine == PRESS
    assert unsent.cause.code == "http.answer"
    assert "answers 400" in english(unsent.cause)
    assert SECRET not in english(unsent.cause)


def test_one_address_that_waits_holds_up_nobody(telling, mail):
    """Four of five are told at once, of this alarm and the next; the fifth later, alone."""
    five = [f"{name}@x.test" for name in "abcde"]
    desk = telling(everyone(mail=by_mail(mail, to=five)), group=0)
    mail.box.replies["e@x.test"] = "450 busy"
    first = raised(PRESS, desk.now)
    desk.desk.receive([first])
    desk.work()
    desk.desk.receive([raised(OVEN, desk.now)])
    desk.work(1)
    assert [to for to, _ in mail.box.notifications] == [five[:4], five[:4]]
    for _ in range(60):
        desk.work(60)
    assert len(mail.box.notifications) == 2
    assert not desk.desk.open_alarms(Scope.of(OWN)), "the channel is not dead"
    del mail.box.replies["e@x.test"]
    desk.work(301)
    alone = [(to, one["message-id"]) for to, one in mail.box.notifications[2:]]
    assert alone == [(["e@x.test"], one["message-id"]) for _, one in mail.box.notifications[:2]]
    said = desk.desk.messages(TENANT, first.id)
    assert [one.state for one in said] == ["sent", "sent"]
    assert any("e@x.test (450 busy)" in english(one) for one in said)
    assert states(desk) == {"sent": 4}


def test_an_address_that_waits_for_a_day_is_known_to_be_unsent(telling, mail):
    desk = telling(everyone(mail=by_mail(mail, to=("a@x.test", "b@x.test"))) | {"give_up": 1.0})
    mail.box.replies["b@x.test"] = "450 busy"
    desk.desk.receive([raised(PRESS, desk.now)])
    for _ in range(20):
        desk.work(300)
    assert states(desk) == {"sent": 1, "unsent": 1}
    [unsent] = [e for e in desk.desk.journal(TENANT) if e.action is Action.UNSENT]
    assert unsent.notified.to == ("b@x.test",)
    assert "(b@x.test)" in words(Texts("en"), unsent)


def test_a_mail_server_that_takes_no_address_for_now_is_a_channel_that_fails(telling, mail):
    desk = telling(everyone(mail=by_mail(mail, to=("a@x.test", "b@x.test"))))
    mail.box.replies |= {"a@x.test": "450 busy", "b@x.test": "450 busy"}
    desk.desk.receive([raised(PRESS, desk.now)])
    for _ in range(10):
        desk.work(300)
    assert [one.machine for one in desk.desk.open_alarms(Scope.of(OWN))] == [f"{OWN}/notify/channel/mail"]
    mail.box.replies = {}
    desk.work(300)
    assert [to for to, _ in mail.box.notifications] == [["a@x.test", "b@x.test"]]


def test_addresses_refused_for_good_are_named(telling, mail):
    desk = telling(everyone(mail=by_mail(mail, to=("a@x.test", "b@x.test"))))
    mail.box.replies["b@x.test"] = "550 nobody here"
    event = raised(PRESS, desk.now)
    desk.desk.receive([event])
    desk.work()
    assert [to for to, _ in mail.box.notifications] == [["a@x.test"]]
    [posted] = desk.desk.messages(TENANT, event.id)
    assert posted.state == "sent"
    assert "b@x.test (550" in english(posted)
    mail.box.replies["a@x.test"] = "550 gone"
    desk.desk.receive([raised(OVEN, desk.now)])
    desk.work(60)
    assert states(desk) == {"sent": 1, "unsent": 1}


@pytest.mark.parametrize(("reply", "state"), [("451 later", "waiting"), ("554 no", "unsent")])
def test_a_letter_that_the_mail_server_does_not_take(telling, mail, reply, state):
    desk = telling(everyone(mail=by_mail(mail)))
    mail.box.data_reply = reply
    desk.desk.receive([raised(PRESS)])
    desk.work()
    assert states(desk) == {state: 1}


def test_a_mail_server_that_takes_it_and_says_nothing_is_not_sent_it_again(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)))
    mail.box.vanish = True
    event = raised(PRESS)
    desk.desk.receive([event])
    for _ in range(3):
        desk.work(60)
    assert len(mail.box.notifications) == 1
    [posted] = desk.desk.messages(TENANT, event.id)
    assert posted.state == "unsent"
    assert "may have gone out" in english(posted)


def test_an_urgent_one_is_sent_again_with_the_same_id_and_that_is_said(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)))
    mail.box.vanish = True
    event = limit("trip", desk.now, severity=4)
    desk.settings.classes["press"] = ClassSettings(criticality=4)
    desk.desk.receive([event])
    desk.work()
    assert states(desk) == {"waiting": 1}
    [unsent] = [e for e in desk.desk.journal(TENANT) if e.action is Action.UNSENT]
    assert "it is sent again" in english(unsent.cause)
    mail.box.vanish = False
    desk.work(299)
    assert len(mail.box.notifications) == 1, "after a while, and not at once"
    desk.work(1)
    first, second = (one["message-id"] for _, one in mail.box.notifications)
    assert first == second
    [posted] = desk.desk.messages(TENANT, event.id)
    assert (posted.state, "may have arrived twice" in english(posted)) == ("sent", True)


def test_a_server_that_is_always_silent_is_a_dead_channel_and_the_letter_unsent_in_the_end(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)) | {"dead": 3})
    mail.box.vanish = True
    desk.settings.classes["press"] = ClassSettings(criticality=4)
    desk.desk.receive([limit("trip", desk.now, severity=4)])
    for _ in range(60):
        desk.work(60)
    assert states(desk)["unsent"] == 1
    assert len({one["message-id"] for _, one in mail.box.notifications}) == 1
    assert len(mail.box.notifications) == 4
    assert desk.desk.open_alarms(Scope.of(OWN))


def test_a_desk_cut_off_while_sending_resends_only_where_it_does_no_harm(telling, mail, hook):
    desk = telling(everyone(mail=by_mail(mail), hook=by_hook(hook)))
    event = raised(PRESS)
    desk.desk.receive([event])
    desk.planner.run()
    with desk.desk.store.writing() as t:  # as it is between two steps of `deliver`
        t.db.execute("UPDATE outbox SET state = 'sending', attempts = 1")
    assert desk.deliver() == 0
    assert desk.dispatcher.recover() == 2
    desk.work()
    assert (len(hook.requests), len(mail.box.notifications)) == (1, 0)
    found = {one.notification.channel: one for one in desk.desk.messages(TENANT, event.id)}
    assert found["hook"].state == "sent"
    assert found["mail"].state == "unsent"
    assert "may have gone out" in english(found["mail"])


def test_a_letter_is_given_up_in_the_end_and_that_is_known(telling, hook):
    desk = telling(everyone(hook=by_hook(hook)) | {"give_up": 1.0})
    hook.answer = lambda n: 500
    desk.desk.receive([raised(PRESS)])
    for _ in range(20):
        desk.work(300)
    assert states(desk)["unsent"] == 1
    tries = len(hook.requests)
    assert tries >= 10
    [unsent] = [e for e in desk.desk.journal(TENANT) if e.action is Action.UNSENT]
    assert unsent.cause == Cause("delivery.given-up", attempts=tries, hours=1.0)
    assert words(Texts("en"), unsent) == f"alarm to crew by hook: given up after {tries} tries in 1 hours"


def test_apprise(telling, hook):
    url = f"json://127.0.0.1:{hook.port}/apprise"
    desk = telling(everyone(chat={"kind": "apprise", "url": url}))
    hook.answer = lambda n: 500 if n == 1 else 200
    desk.desk.receive([raised(PRESS, desk.now)])
    desk.work()
    assert states(desk) == {"waiting": 1}
    desk.work(60)
    assert states(desk) == {"sent": 1}
    body = hook.bodies()[1]
    assert body["title"] == "[Medium] press-07: Bearing runs rough (probably): vibration 9.1, usual 3"
    assert "vibration" in body["message"]


def test_apprise_by_mail(telling, mail):
    url = f"mailto://127.0.0.1:{mail.port}/?from=yeji@plant.test&to=crew@plant.test&mode=insecure"
    desk = telling(everyone(chat={"kind": "apprise", "url": url}))
    desk.desk.receive([raised(PRESS)])
    desk.work()
    [(to, notification)] = mail.box.notifications
    assert to == ["crew@plant.test"]
    assert "press-07" in notification["subject"]


def test_a_flood_is_one_letter_and_its_alarms_end_one_by_one_for_systems(telling, mail, hook):
    desk = telling(everyone(mail=by_mail(mail), hook=by_hook(hook)), group=0)
    machines = [f"gwangju/ggm/body/line-{k}/press" for k in range(12)]
    desk.desk.receive([raised(machine) for machine in machines])
    desk.work()
    [(_, notification)] = mail.box.notifications
    assert notification["subject"] == "Alarm flood: 12 alarms"
    assert all(machine in notification.get_content() for machine in machines)
    assert len(hook.bodies()[0]["alerts"]) == 12
    desk.desk.receive([cleared(machines[0])])
    first = next(one for one in desk.desk.open_alarms(TENANT) if one.machine == machines[0])
    desk.desk.acknowledge(TENANT, first.id, by="Kim")
    desk.work(1)
    assert [a["labels"]["machine"] for a in hook.bodies()[1]["alerts"]] == [machines[0]]
    told = [e for e in desk.desk.journal(TENANT) if e.action is Action.TOLD and e.notified.kind == "flood"]
    assert {e.machine for e in told} == set(machines)


def test_a_flood_of_thousands_is_a_message_that_receivers_take(telling, hook):
    desk = telling(everyone(hook=by_hook(hook)), group=0)
    desk.desk.receive([raised(f"gwangju/ggm/body/line-{k}/press") for k in range(500)])
    desk.desk.receive([raised(OVEN, severity=4)])
    desk.work()
    [body] = hook.bodies()
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (200, 301)
    assert body["alerts"][0]["labels"]["machine"] == OVEN, "the most urgent first"
    assert len(hook.requests[0][2]) < 500_000
    assert "and 471 more" in body["yeji"]["text"]


def test_old_letters_are_removed_but_never_those_of_alarms_that_stand(telling, mail, hook):
    desk = telling(everyone(mail=by_mail(mail), hook=by_hook(hook)), group=0)
    desk.desk.receive([raised(PRESS), raised(OVEN)])
    desk.work()
    desk.desk.acknowledge(TENANT, raised(PRESS).id, by="Kim")
    desk.desk.receive([cleared(PRESS)])
    desk.work(1)
    assert states(desk) == {"sent": 5}
    with desk.desk.store.writing() as t:
        assert prune(t, desk.now) == 2, "what was settled in the last second stays"
        assert prune(t, desk.now + 1) == 1
    desk.work(60)
    assert states(desk) == {"sent": 2}
    assert len(mail.box.notifications) == 2
    assert len([e for e in desk.desk.journal(TENANT) if e.action is Action.TOLD]) == 5


def test_related_alarms_are_one_letter_that_counts_them(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)))
    desk.desk.receive([raised(PRESS), limit("trip", severity=4)])
    desk.work()
    assert len(mail.box.notifications) == 2, "no kind of alarm stands for another"
    assert all("Related alarms: 1" in one.get_content() for _, one in mail.box.notifications)


def test_a_gateway_of_five_machines_is_one_letter_that_names_them(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)))
    machines = [f"gwangju/ggm/body/line-{k}/press-{k}" for k in range(5)]
    for machine in machines:
        desk.desk.receive([silent(machine, desk.now)])
        desk.work()
    desk.work(60)
    [(_, notification)] = mail.box.notifications
    assert notification["subject"] == "[Medium] press-0 and 4 more: No data comes any more"
    assert "Also: press-1, press-2, press-3, press-4" in notification.get_content()


def test_a_letter_says_how_often_it_came_and_that_it_came_late(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)))
    hour, day = 3_600_000, 86_400_000
    for k in range(4):
        value = {"contributions": (Contribution("vibration", 0.9, 3.0, 2.0, 4.0 + k),)}
        desk.desk.receive([raised(PRESS, desk.now - 2 * day + k * hour, **value)])
    desk.work()
    [(_, notification)] = mail.box.notifications
    assert notification["subject"].startswith("Late, since ")
    text = " ".join(notification.get_content().split())
    assert "Came 4 times since" in text
    assert "vibration grew to 1.8 times the first" in text
    assert "Reached the desk late:" in text


def test_a_subject_cannot_begin_another_header(telling, mail):
    desk = telling(everyone(mail=by_mail(mail)))
    desk.desk.receive([raised(PRESS, sensor="x\r\nBcc: all@x.test", detail="a\r\n.\r\nRSET")])
    desk.work()
    [(to, notification)] = mail.box.notifications
    assert (to, notification["bcc"]) == (["crew@plant.test"], None)
    assert "Cause: a . RSET" in notification.get_content()
