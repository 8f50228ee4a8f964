"""Who sees whose training, and what cannot be done there."""

from desk.rules.scope import EVERYTHING
from desk.training.lesson import PRACTICE, lessons
from tests.desk.web.plant import Plant


def pass_all(plant: Plant, who: str) -> None:
    for key in lessons():
        plant.web.training.begin(who, lessons()[key])
        plant.web.training.progress.passed(who, key, plant.clock.now, 3.0)


def test_a_lead_sees_the_team_of_the_own_places_alone(plant: Plant):
    pass_all(plant, "kim")
    pass_all(plant, "their-admin")
    client = plant.client("our-engineer")
    page = client.get("/training/team").text
    assert "/training/certificate?who=kim" in page
    assert "their-admin" not in page
    assert "Certificate" in client.get("/training/certificate?who=kim").text
    assert client.get("/training/certificate?who=their-admin").status_code == 404
    assert client.get("/training/certificate?who=viewer").status_code == 404  # not passed
    assert plant.client("kim").get("/training/team").status_code == 403
    assert plant.client("viewer").get("/training/certificate?who=kim").status_code == 404
    assert plant.client("kim").get("/training/certificate").status_code == 200


def test_practice_reaches_nothing_real(plant: Plant):
    client, head = plant.client("kim"), plant.desk.head()
    csrf = plant.csrf(client)

    def do(**form: str) -> int:
        return client.post(
            "/training/first-alarm/do", data={"csrf": csrf, "back": "/training", **form}
        ).status_code

    assert do(what="acknowledge", alarm=plant.press.id) == 404  # not begun
    client.post("/training/first-alarm/start", data={"csrf": csrf})
    for form in (
        {"what": "acknowledge", "alarm": plant.press.id},
        {"what": "take", "alarm": plant.press.id},
        {"what": "look", "alarm": plant.press.id},
        {"what": "answer", "answer": "oil_pressure"},
        {"what": "window", "place": "lab/one/body"},
        {"what": "no-such-act"},
    ):
        assert do(**form) == 404, form
    assert plant.desk.head() == head
    assert not [one for one in plant.desk.machines(EVERYTHING) if one.startswith(PRACTICE)]
    assert client.get("/training/no-such-lesson").status_code == 404
