"""Sign-in by an identity provider: OpenID Connect's authorization code flow with PKCE, by Authlib."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import MismatchingStateError
from authlib.integrations.starlette_client import OAuth, OAuthError
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk.access.accounts import AccessError
from desk.access.roles import ALL, Role
from desk.settings.access import OidcSettings
from desk.web.access.sign_in import SignIn, address_of
from desk.web.kit.security import local_address

#: Signatures that a public key can prove; "none" and shared secrets are not among them.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_PATH = "/sign-in/oidc"
_FLOW_SECONDS = 600
_LEEWAY = 60
#: How long (s) the provider's description is believed; its keys are asked for again when one is not known.
_KNOWN_FOR = 3600.0


class OidcError(Exception):
    """The identity provider did not vouch for anybody; ``key`` names the text that says why."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


class OidcSignIn:
    """Routes of `/sign-in/oidc`. ``url`` is the desk as people reach it."""

    def __init__(self, settings: OidcSettings, url: str, sign_in: SignIn) -> None:
        self.settings, self.sign_in = settings, sign_in
        self.redirect = f"{url}{_PATH}/done"
        self._made: tuple[float, Any] | None = None

    def routes(self) -> list[BaseRoute]:
        """The way there and back, with a cookie between that holds state, nonce and PKCE's secret."""
        cookie = Middleware(
            SessionMiddleware,
            # Good for one process: a sign-in that was begun before a restart is begun again.
            secret_key=secrets.token_hex(32),
            session_cookie="yeji-oidc",
            max_age=_FLOW_SECONDS,
            path=_PATH,
            same_site="lax",
            https_only=self.sign_in.guard.secure,
        )
        return [
            Route(_PATH, self.begin, name="public oidc", middleware=[cookie]),
            Route(f"{_PATH}/done", self.done, name="public oidc done", middleware=[cookie]),
        ]

    async def begin(self, request: Request) -> Response:
        """To the identity provider."""
        request.session.clear()
        request.session["back"] = local_address(request.query_params.get("back", "/"))
        try:
            client = await self._client()
        except OidcError as error:
            return self._refuse(request, error)
        # Who is to prove again who they are is not let through by a session over there.
        more = {"prompt": "login"} if "again" in request.query_params else {}
        answer: Response = await client.authorize_redirect(request, self.redirect, **more)
        return answer

    async def done(self, request: Request) -> Response:
        """Back from the identity provider: with a code, or with its word why not."""
        back = str(request.session.get("back", "/"))
        try:
            claims = await self._claims(request)
            token = await run_in_threadpool(self._vouched, request, claims)
        except OidcError as error:
            return self._refuse(request, error)
        except AccessError as error:
            return self.sign_in.refuse(request, error.key)
        request.session.clear()
        return self.sign_in.enter(RedirectResponse(back, 303), token)

    def _refuse(self, request: Request, error: OidcError) -> Response:
        why = self.sign_in.guard.render.texts(request)(error.key, **error.values)
        return self.sign_in.refuse(request, "sign.in.oidc.failed", why=why)

    def _vouched(self, request: Request, claims: Mapping[str, Any]) -> str:
        """A session for whom the provider vouches for. Raises `AccessError`."""
        role, places = self._reach(claims)
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
        account = self.sign_in.accounts.external(
            f"{claims['iss']}\n{claims['sub']}", name, str(claims.get("name", name))[:80], role, places
        )
        if account.disabled:
            raise AccessError("sign.in.oidc.role")
        return self.sign_in.sessions.begin(
            account, address_of(request), request.headers.get("user-agent", "")
        )

    async def _claims(self, request: Request) -> dict[str, Any]:
        """What the ID token says, once its signature, issuer, audience, nonce and times are right."""
        client = await self._client()
        issuer = self.settings.issuer
        options = {
            "iss": {"essential": True, "values": [issuer, f"{issuer}/"]},
            "aud": {"essential": True, "value": self.settings.client_id},
            **{name: {"essential": True} for name in ("sub", "exp", "iat")},
        }
        try:
            token = await client.authorize_access_token(request, claims_options=options, leeway=_LEEWAY)
            return dict(token["userinfo"])
        except MismatchingStateError:
            raise OidcError("sign.in.oidc.elsewhere") from None
        except OAuthError as error:
            why = str(error.description or error.error)[:200]
            raise OidcError("sign.in.oidc.refused", why=why) from error
        except httpx.HTTPError as error:
            raise OidcError("sign.in.oidc.away", where=issuer, why=type(error).__name__) from error
        except (AuthlibBaseError, JoseError, KeyError, ValueError, RuntimeError) as error:
            raise OidcError("sign.in.oidc.token", why=type(error).__name__) from error

    def _reach(self, claims: Mapping[str, Any]) -> tuple[Role, list[str]]:
        """The highest role among the claim's values, and the places of all values with that role."""
        values = claims.get(self.settings.claim, [])
        values = [values] if isinstance(values, str) else values if isinstance(values, list) else []
        known = [self.settings.roles[value] for value in values if value in self.settings.roles]
        if not known:
            raise AccessError("sign.in.oidc.role")
        role = max(Role[one.role.upper()] for one in known)
        places = [place for one in known if Role[one.role.upper()] is role for place in one.places]
        if not places or (ALL in places and role is not Role.ADMIN):
            raise AccessError("sign.in.oidc.role")
        return role, places

    async def _client(self) -> Any:
        """Authlib's client, with the provider's description. Raises `OidcError`."""
        if self._made and time.monotonic() - self._made[0] < _KNOWN_FOR:
            return self._made[1]
        where = f"{self.settings.issuer}/.well-known/openid-configuration"
        secret = self.settings.client_secret
        client = OAuth().register(
            "oidc",
            client_id=self.settings.client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=where,
            client_kwargs={
                "scope": self.settings.scopes,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
                "timeout": 10,
            },
        )
        try:
            metadata = await client.load_server_metadata()
            if str(metadata["issuer"]).rstrip("/") != self.settings.issuer:
                raise OidcError("sign.in.oidc.issuer", where=where)
        except httpx.HTTPError as error:
            raise OidcError("sign.in.oidc.away", where=where, why=type(error).__name__) from error
        except (KeyError, ValueError, TypeError) as error:
            raise OidcError("sign.in.oidc.description", where=where) from error
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        allowed = [one for one in offered if one in ALGORITHMS]
        # Authlib believes every algorithm that is named here.
        metadata["id_token_signing_alg_values_supported"] = allowed or ["RS256"]
        self._made = (time.monotonic(), client)
        return client
