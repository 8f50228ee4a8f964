"""Sign-in by an identity provider: OpenID Connect's authorization code flow with PKCE (RFC 7636)."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from typing import Any

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk.access.accounts import AccessError
from desk.access.roles import ALL, Role
from desk.settings.access import OidcSettings
from desk.web.access.sign_in import SignIn
from desk.web.page.app import local_address

#: Signatures that a public key can prove; "none" and shared secrets are not among them.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_FLOW_COOKIE = "yeji-oidc"
_FLOW_SECONDS = 600
_LEEWAY = 60
_KEYS_FOR = 3600.0


class OidcError(Exception):
    """The identity provider did not vouch for anybody; the message says why."""


class OidcSignIn:
    """Routes of `/sign-in/oidc`. ``url`` is the desk as people reach it."""

    def __init__(self, settings: OidcSettings, url: str, sign_in: SignIn) -> None:
        self.settings, self.sign_in = settings, sign_in
        self.redirect = f"{url}/sign-in/oidc/done"
        # Good for one process: a sign-in that was begun before a restart is begun anew.
        self._signer = URLSafeTimedSerializer(generate_token(48), salt="oidc")
        self._metadata: tuple[float, dict[str, Any], KeySet] | None = None

    def routes(self) -> list[BaseRoute]:
        """The way there, and the way back."""
        return [
            Route("/sign-in/oidc", self.begin, name="public oidc"),
            Route("/sign-in/oidc/done", self.done, name="public oidc done"),
        ]

    async def begin(self, request: Request) -> Response:
        """To the identity provider."""
        try:
            metadata, _ = await run_in_threadpool(self._provider)
        except OidcError as error:
            return self.sign_in.refuse(request, "sign.in.oidc.failed", why=str(error))
        flow = {
            "state": generate_token(32),
            "nonce": generate_token(32),
            "verifier": generate_token(64),
            "back": local_address(request.query_params.get("back", "/")),
        }
        address = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self.settings.client_id,
            "code",
            redirect_uri=self.redirect,
            scope=self.settings.scopes,
            state=flow["state"],
            nonce=flow["nonce"],
            code_challenge=create_s256_code_challenge(flow["verifier"]),
            code_challenge_method="S256",
        )
        answer = RedirectResponse(address, 303)
        answer.set_cookie(
            _FLOW_COOKIE,
            self._signer.dumps(flow),
            max_age=_FLOW_SECONDS,
            httponly=True,
            secure=self.sign_in.guard.secure,
            samesite="lax",
            path="/sign-in/oidc",
        )
        return answer

    async def done(self, request: Request) -> Response:
        """Back from the identity provider: with a code, or with its word why not."""
        try:
            flow = self._flow(request)
            token = await run_in_threadpool(self._vouched, request.query_params["code"], flow)
        except OidcError as error:
            return self.sign_in.refuse(request, "sign.in.oidc.failed", why=str(error))
        except AccessError as error:
            return self.sign_in.refuse(request, error.key)
        answer = self.sign_in.enter(RedirectResponse(flow["back"], 303), token)
        answer.delete_cookie(_FLOW_COOKIE, path="/sign-in/oidc")
        return answer

    def _flow(self, request: Request) -> dict[str, str]:
        query = request.query_params
        try:
            flow: dict[str, str] = self._signer.loads(
                request.cookies.get(_FLOW_COOKIE, ""), max_age=_FLOW_SECONDS
            )
        except BadSignature:
            raise OidcError("the sign-in was begun elsewhere, or too long ago") from None
        if not hmac.compare_digest(flow["state"], query.get("state", "")):
            raise OidcError("the answer is not to our question")
        if "code" not in query:
            raise OidcError(query.get("error_description", query.get("error", "no code came"))[:200])
        return flow

    def _vouched(self, code: str, flow: Mapping[str, str]) -> str:
        """A session for whom the provider vouches for. Raises `OidcError` and `AccessError`."""
        claims = self._claims(code, flow)
        role, places = self._reach(claims)
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
        account = self.sign_in.accounts.external(
            f"{claims['iss']}\n{claims['sub']}", name, str(claims.get("name", name))[:80], role, places
        )
        if account.disabled:
            raise AccessError("sign.in.oidc.role")
        return self.sign_in.sessions.begin(account)

    def _claims(self, code: str, flow: Mapping[str, str]) -> dict[str, Any]:
        metadata, keys = self._provider()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect,
            "client_id": self.settings.client_id,
            "code_verifier": flow["verifier"],
        }
        secret = self.settings.client_secret
        auth = (self.settings.client_id, secret.get_secret_value()) if secret else None
        try:
            answer = httpx.post(metadata["token_endpoint"], data=form, auth=auth, timeout=10)
            answer.raise_for_status()
            token = jwt.decode(answer.json()["id_token"], keys, algorithms=ALGORITHMS)
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY,
                iss={"essential": True, "value": metadata["issuer"]},
                aud={"essential": True, "value": self.settings.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": flow["nonce"]},
            ).validate(token.claims)
        except httpx.HTTPError as error:
            raise OidcError(f"it could not be asked ({type(error).__name__})") from error
        except (JoseError, KeyError, ValueError) as error:
            raise OidcError(f"its ID token is not valid ({type(error).__name__})") from error
        return dict(token.claims)

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

    def _provider(self) -> tuple[dict[str, Any], KeySet]:
        """The provider's metadata and keys, kept for an hour."""
        if self._metadata and time.monotonic() - self._metadata[0] < _KEYS_FOR:
            return self._metadata[1], self._metadata[2]
        where = f"{self.settings.issuer}/.well-known/openid-configuration"
        try:
            metadata = httpx.get(where, timeout=10).raise_for_status().json()
            if str(metadata["issuer"]).rstrip("/") != self.settings.issuer:
                raise OidcError(f"{where} speaks for another issuer")
            keys = KeySet.import_key_set(
                httpx.get(metadata["jwks_uri"], timeout=10).raise_for_status().json()
            )
        except httpx.HTTPError as error:
            raise OidcError(f"{where} cannot be reached ({type(error).__name__})") from error
        except (KeyError, ValueError, JoseError) as error:
            raise OidcError(f"{where} gives no usable description") from error
        self._metadata = (time.monotonic(), metadata, keys)
        return metadata, keys
