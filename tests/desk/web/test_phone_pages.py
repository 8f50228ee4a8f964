"""A phone asks to be told by its page's form, for its own account alone."""

from desk.notify.push_message import to_text
from tests.desk.notify.test_push import Browser, public
from tests.desk.web.plant import Plant

KEYS = {"p256dh": to_text(public(Browser().key)), "auth": to_text(bytes(16)), "least": "urgent"}


def post(plant: Plant, who: str, path: str, **form: str) -> None:
    client = plant.client(who)
    answer = client.post(path, data={"csrf": plant.csrf(client), "back": "/phone"} | form)
    assert answer.status_code == 303


def test_a_phone_is_told_and_told_no_more(plant: Plant):
    endpoint = "https://fcm.googleapis.com/fcm/send/abc"
    post(plant, "viewer", "/phone/tell", endpoint=endpoint, **KEYS)
    [phone] = plant.web.phones.all()
    assert (phone.account, phone.least.name) == (plant.account("viewer").id, "URGENT")
    post(plant, "kim", "/phone/quiet", endpoint=endpoint)
    assert len(plant.web.phones.all()) == 1, "nobody silences another's phone"
    post(plant, "viewer", "/phone/quiet", endpoint=endpoint)
    assert plant.web.phones.all() == []


def test_another_address_is_refused(plant: Plant):
    post(plant, "viewer", "/phone/tell", endpoint="https://10.0.0.1/x", **KEYS)
    assert plant.web.phones.all() == []


def test_the_page_gives_the_desks_public_key(plant: Plant):
    page = plant.client("viewer").get("/phone").text
    assert f'data-key="{plant.web.push.vapid.public}"' in page
