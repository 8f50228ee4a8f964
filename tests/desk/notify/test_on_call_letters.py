"""Who is on call gets the letter; who comes on call is told of what still waits; never is nobody told."""

from __future__ import annotations

from desk.rules.on_call import Rota
from desk.rules.scope import EVERYTHING
from desk.service.on_call import OnCallBook
from tests.desk.rules.plant import OVEN, PRESS, raised

HOUR = 3600


def telling_of(telling, mail, hook=None):
    channels = {"mail": {"kind": "email", "url": f"smtp://127.0.0.1:{mail.port}", "to": ["all@x"]}}
    if hook:
        url = f"http://127.0.0.1:{hook.port}/"
        channels["hook"] = {"kind": "webhook", "url": url, "secret": "a secret of the test"}
    notify = {
        "channels": channels,
        "crews": {
            "standby": {"channels": list(channels), "on_call": True, "language": "en"},
            "lead": {"channels": ["mail"], "language": "en"},
        },
        "routes": [{"crews": ["standby"], "escalate": [{"after": 600, "crews": ["lead"]}]}],
    }
    one = telling(notify, timezone="Asia/Seoul")
    one.desk.addresses = lambda names: {name: f"{name}@x" for name in names if name != "park"}
    return one


def rota(one, *people, place="gwangju/ggm/body", hours="00:00-24:00"):
    made = Rota(id="", place=place, name="n", people=people, hours=(hours,), every="day", first="2026-01-05")
    return OnCallBook(one.desk).put_rota(EVERYTHING, made, by="boss")


def letters(mail):
    return [to for to, _ in mail.box.notifications]


def test_who_is_on_call_gets_the_letter_and_the_next_one_what_still_waits(telling, mail, hook):
    one = telling_of(telling, mail, hook)
    rota(one, "kim", "lee")  # from Monday's midnight: it is noon in Seoul
    alarm = raised(PRESS, one.now - 60_000)
    one.desk.receive([alarm, raised(OVEN, one.now - 60_000)])
    for _ in range(3):
        one.work(60)
    assert sorted(letters(mail)) == [["all@x"], ["kim@x"]], "nobody is on call for the oven: all are told"
    text = next(message.get_content() for to, message in mail.box.notifications if to == ["kim@x"])
    assert "On call: kim" in text
    assert sorted(body["yeji"]["on_call"] for body in hook.bodies()) == [[], ["kim"]]
    one.work(13 * HOUR)
    assert letters(mail).count(["lee@x"]) == 1, "after midnight it is lee's turn"
    assert letters(mail).count(["kim@x"]) == 1
    one.desk.acknowledge(EVERYTHING, alarm.id, by="lee")
    one.work(24 * HOUR)
    assert letters(mail).count(["kim@x"]) == 1, "what is answered is told to nobody"


def test_a_swap_and_a_person_without_an_address(telling, mail):
    one = telling_of(telling, mail)
    made, book = rota(one, "kim"), OnCallBook(one.desk)
    duty = book.duties(EVERYTHING, one.now, one.now + 1)[0]
    swap = book.ask(EVERYTHING, made.id, duty.start, "lee", by="kim")
    one.desk.receive([raised(PRESS, one.now - 60_000)])
    one.work(1)
    assert letters(mail) == [["kim@x"]], "asked is not accepted"
    book.answer(EVERYTHING, swap.id, "accepted", by="lee")
    one.work(1)
    assert letters(mail) == [["kim@x"], ["lee@x"]]
    book.answer(
        EVERYTHING, book.ask(EVERYTHING, made.id, duty.start, "park", by="lee").id, "accepted", by="park"
    )
    one.work(1)
    assert letters(mail)[2:] == [["all@x"]], "no address: all of the channel's"


def test_a_flood_is_one_message_for_each_of_those_on_call(telling, mail):
    one = telling_of(telling, mail)
    rota(one, "kim", place="gwangju/ggm/body/line-1")
    rota(one, "lee", place="gwangju/ggm/body/line-2")
    for line in (1, 2):
        one.desk.receive(
            [raised(f"gwangju/ggm/body/line-{line}/press-{n}", one.now - 60_000) for n in range(15)]
        )
    one.work(1)
    assert sorted(letters(mail)) == [["kim@x"], ["lee@x"]]
    assert all("15" in message["subject"] for _, message in mail.box.notifications)
