"""A photo and a voice note on an alarm: sent by a form, in the journal, on the page, for one tenant alone."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from desk.web.page.server import ThreadedServer
from tests.desk.service.test_attachments import photo, recording
from tests.desk.web.plant import PRESS, SECRET, Plant

if TYPE_CHECKING:
    from httpx import Response


def send(plant: Plant, who: str, alarm: str, content: bytes, **form: str) -> Response:
    client = plant.client(who)
    return client.post(
        f"/alarms/{alarm}/attach",
        data={"csrf": plant.csrf(client), "back": f"/alarms/{alarm}"} | form,
        files={"file": ("IMG_0001.jpg", content, "image/jpeg")},
    )


def attached(plant: Plant, machine: str = PRESS):
    entries = plant.desk.journal(EVERYTHING, machine=machine)
    return [one for one in entries if one.action is Action.ATTACH]


def test_a_photo_stands_in_the_journal_and_on_the_page(plant: Plant):
    content = photo()
    assert len(content) > 1_000_000, "larger than other forms may be"
    assert send(plant, "kim", plant.press.id, content, text="oil here").status_code == 303
    [entry] = attached(plant)
    assert (entry.by, entry.why) == ("kim", "oil here")
    page = plant.client("viewer").get(f"/alarms/{plant.press.id}").text
    link = re.search(r'<img src="(/alarms/[^"]*)" alt="Photo by kim"', page)
    assert link is not None
    answer = plant.client("viewer").get(link[1])
    assert answer.headers["content-type"] == "image/jpeg"
    assert b"Zebra" not in answer.content
    assert "oil here" in page


def test_a_voice_note_can_be_heard(plant: Plant):
    assert send(plant, "kim", plant.press.id, recording()).status_code == 303
    assert "<audio controls" in plant.client("kim").get(f"/alarms/{plant.press.id}").text


def test_it_is_not_to_be_had_elsewhere(plant: Plant):
    send(plant, "kim", plant.press.id, recording())
    file = attached(plant)[0].attachment.sha256
    assert plant.client("kim").get(f"/alarms/{plant.pump.id}/files/{file}").status_code == 404
    assert plant.client("their-admin").get(f"/alarms/{plant.press.id}/files/{file}").status_code == 404
    assert plant.client("kim").get(f"/alarms/{plant.press.id}/files/..%2f..%2fdesk.sqlite").status_code == 404
    assert send(plant, "kim", plant.secret.id, recording()).status_code == 404
    assert send(plant, "viewer", plant.press.id, recording()).status_code == 403
    assert attached(plant, SECRET) == []


def test_what_is_no_photo_is_refused_and_told(plant: Plant):
    client = plant.client("kim")
    for content in (b"", b"#!/bin/sh"):
        answer = send(plant, "kim", plant.press.id, content)
        client.cookies.set("yeji-note", answer.cookies["yeji-note"])
        assert "photo" in client.get(f"/alarms/{plant.press.id}").text
    assert attached(plant) == []


def test_other_forms_stay_small_and_a_photo_has_its_limit(plant: Plant):
    client = plant.client("kim")
    assert client.post(f"/alarms/{plant.press.id}/comment", content=bytes(1_000_001)).status_code == 413
    assert client.post(f"/alarms/{plant.press.id}/attach", content=bytes(13_000_000)).status_code == 413


@pytest.mark.browser
def test_a_voice_note_is_recorded_and_a_photo_chosen_on_a_phone(plant: Plant, tmp_path):
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    url = server.start()
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    wrong: list[str] = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
            context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
            token = plant.web.sessions.begin(plant.account("kim"))
            context.add_cookies([{"name": "yeji-desk", "value": token, "url": url}])
            page = context.new_page()
            page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
            page.goto(f"{url}alarms/{plant.press.id}")
            page.locator("summary", has_text="Photo or voice note").tap()
            page.get_by_role("button", name="Record a voice note").tap()
            page.get_by_role("button", name="Stop recording").wait_for()
            page.wait_for_timeout(1200)
            page.get_by_role("button", name="Stop recording").tap()
            page.get_by_role("button", name="recorded").wait_for()
            form = page.locator("form", has=page.locator("button.record"))
            form.get_by_role("button", name="Save").tap()
            expect(page.locator(".log audio")).to_have_count(1, timeout=20_000)
            chosen = tmp_path / "photo.jpg"
            chosen.write_bytes(photo())
            page.reload()
            page.locator("summary", has_text="Photo or voice note").tap()
            page.get_by_label("Photo or recording").set_input_files(chosen)
            form.get_by_role("button", name="Save").tap()
            image = page.get_by_role("img", name="Photo by kim")
            expect(image).to_be_visible(timeout=20_000)
            assert image.evaluate(
                "one => one.complete && one.naturalWidth > 0 || one.decode().then(() => true)"
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            browser.close()
    finally:
        server.stop()
    assert [one.attachment.media for one in attached(plant)] == ["audio/webm", "image/jpeg"]
    assert wrong == []
