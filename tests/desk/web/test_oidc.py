"""Sign-in by a real OpenID provider, run here: what it vouches for, and every way of being cheated."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from desk.access.roles import Role
from desk.web.kit.live import Listeners
from desk.web.page.server import ThreadedServer
from tests.desk.web.plant import OURS, THEIRS, Plant, make_plant


class Provider:
    """An identity provider with one person; ``claims`` and ``key`` can be bent."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.signing = self.key
        self.claims: dict[str, object] = {}
        self.algorithm = "RS256"
        self.offered = ["RS256"]
        self.nonce: str | None = None
        self.challenge = ""
        self.asked: dict[str, str] = {}
        routes = [
            Route("/.well-known/openid-configuration", self.metadata),
            Route("/keys", self.keys),
            Route("/token", self.token, methods=["POST"]),
        ]
        self.server = ThreadedServer(Starlette(routes=routes), Listeners(), "127.0.0.1", 0, "test")
        self.issuer = self.server.start().rstrip("/")

    def metadata(self, request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": self.offered,
            }
        )

    def keys(self, request: Request) -> JSONResponse:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def token(self, request: Request) -> JSONResponse:
        form = await request.form()
        self.asked = {name: str(value) for name, value in form.items()}
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "yeji",
            "sub": "u-1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "preferred_username": "lee",
            "name": "Lee",
            "groups": ["maintenance"],
            **self.claims,
        }
        header = {"alg": self.algorithm, "kid": self.key.kid}
        token = jwt.encode(header, claims, self.signing, algorithms=[self.algorithm])
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.stop()


@pytest.fixture
def provider(shared: Provider) -> Provider:
    shared.claims, shared.signing, shared.algorithm = {}, shared.key, "RS256"
    shared.offered = ["RS256"]
    return shared


@pytest.fixture
def plant(tmp_path: Path, provider: Provider) -> Iterator[Plant]:
    plant = make_plant(
        tmp_path,
        access={
            "oidc": {
                "issuer": provider.issuer,
                "client_id": "yeji",
                "client_secret": "hush",
                "roles": {
                    "maintenance": {"role": "crew", "places": [OURS]},
                    "maintenance-2": {"role": "crew", "places": [f"{THEIRS}/vault"]},
                    "engineering": {"role": "engineer", "places": [f"{OURS}/body"]},
                },
            }
        },
    )
    yield plant
    plant.close()


def go(plant: Plant, provider: Provider, *, change: dict[str, str] | None = None, back: str = "/kpis"):
    """The whole way as a browser goes it."""
    client = plant.client()
    assert 'href="/sign-in/oidc?back=' in client.get("/sign-in").text
    there = client.get(f"/sign-in/oidc?back={back}")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there.headers["location"]).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://127.0.0.1:8011/sign-in/oidc/done"
    provider.nonce, provider.challenge = asked["nonce"], asked["code_challenge"]
    answer = {"code": "c-1", "state": asked["state"], **(change or {})}
    return client, client.get("/sign-in/oidc/done", params=answer)


def test_somebody_known_gets_in_with_their_role(plant: Plant, provider: Provider):
    client, answer = go(plant, provider)
    assert (answer.status_code, answer.headers["location"]) == (303, "/kpis")
    assert client.get("/").status_code == 200
    lee = plant.account("lee")
    assert (lee.role, lee.places, lee.external) == (Role.CREW, (OURS,), True)
    assert provider.asked["redirect_uri"] == "http://127.0.0.1:8011/sign-in/oidc/done"
    provider.claims = {"groups": ["maintenance", "engineering"]}
    go(plant, provider)
    assert plant.account("lee").role is Role.ENGINEER
    assert plant.account("lee").places == (f"{OURS}/body",)


def test_an_account_of_the_same_name_is_not_taken_over(plant: Plant, provider: Provider):
    provider.claims = {"preferred_username": "root"}
    go(plant, provider)
    assert plant.account("root").role is Role.ADMIN
    assert not plant.account("root").external
    made = next(one for one in plant.web.accounts.all() if one.external)
    assert made.name.startswith("root-")
    assert made.role is Role.CREW


def test_a_disabled_account_stays_out(plant: Plant, provider: Provider):
    go(plant, provider)
    lee = plant.account("lee")
    plant.web.accounts.change(lee.id, role=lee.role, places=lee.places, disabled=True)
    client, answer = go(plant, provider)
    assert answer.status_code == 401
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("groups", [[], ["canteen"], "canteen", None, 7])
def test_nobody_without_a_role_gets_in(plant: Plant, provider: Provider, groups: object):
    provider.claims = {"groups": groups}
    _, answer = go(plant, provider)
    assert answer.status_code == 401
    assert "no role on this desk" in answer.text
    assert not [one for one in plant.web.accounts.all() if one.external]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"nonce": "replayed"},
        {"exp": 1_000_000_000},
        {"sub": None},
    ],
)
def test_an_id_token_that_is_not_for_us_is_refused(
    plant: Plant, provider: Provider, claims: dict[str, object]
):
    provider.claims = claims
    _, answer = go(plant, provider)
    assert answer.status_code == 401
    assert "ID token is not valid" in answer.text


def test_a_token_signed_by_another_is_refused(plant: Plant, provider: Provider):
    provider.signing = RSAKey.generate_key(2048, {"kid": "one"})
    _, answer = go(plant, provider)
    assert "ID token is not valid" in answer.text


@pytest.mark.parametrize("change", [{"state": "forged"}, {"code": "", "state": ""}])
def test_an_answer_to_another_question_is_refused(plant: Plant, provider: Provider, change: dict[str, str]):
    _, answer = go(plant, provider, change=change)
    assert answer.status_code == 401


def test_an_answer_without_having_asked_is_refused(plant: Plant, provider: Provider):
    go(plant, provider)
    answer = plant.client().get("/sign-in/oidc/done?code=c-1&state=x")
    assert answer.status_code == 401
    assert "begun elsewhere" in answer.text


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_a_token_without_a_public_keys_signature_is_refused_whatever_is_offered(
    plant: Plant, provider: Provider, algorithm: str
):
    provider.offered = ["RS256", algorithm]
    provider.algorithm, provider.signing = algorithm, OctKey.import_key("hush" * 10)
    _, answer = go(plant, provider)
    assert answer.status_code == 401
    assert "ID token is not valid" in answer.text


def test_new_keys_of_the_provider_are_found(plant: Plant, provider: Provider):
    go(plant, provider)
    provider.key = provider.signing = RSAKey.generate_key(2048, {"kid": "two"})
    _, answer = go(plant, provider)
    assert answer.status_code == 303


def test_what_the_provider_says_is_shown(plant: Plant, provider: Provider):
    _, answer = go(plant, provider, change={"error": "access_denied", "error_description": "not today"})
    assert "it says: not today" in answer.text


def test_the_way_leads_nowhere_else(plant: Plant, provider: Provider):
    _, answer = go(plant, provider, back="https://evil.example")
    assert answer.headers["location"] == "/"


def test_a_provider_that_is_away(tmp_path: Path):
    away = {"oidc": {"issuer": "http://127.0.0.1:9", "client_id": "yeji"}}
    plant = make_plant(tmp_path, access=away)
    answer = plant.client().get("/sign-in/oidc")
    assert answer.status_code == 401
    assert "cannot be reached" in answer.text
    plant.close()
