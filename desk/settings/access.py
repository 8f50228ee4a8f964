"""Settings of who may use the desk: sections [desk.access] and [desk.access.oidc] of `yeji.toml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from pipeline.settings import Section

RoleName = Literal["viewer", "crew", "engineer", "admin"]


class OidcRole(Section):
    """What people with one value in the roles claim may do."""

    role: RoleName = Field(description="what they may do (docs/desk.md)")
    places: list[str] = Field(
        default_factory=list, description='tenants or areas, as gwangju/ggm/body; ["*"] = all'
    )

    @field_validator("places")
    @classmethod
    def _places(cls, places: list[str]) -> list[str]:
        return [clean_place(place) for place in places]


class OidcSettings(Section):
    """Sign-in by the company's own identity provider (OpenID Connect, authorization code with PKCE)."""

    issuer: str = Field(description="its address, as https://login.example.com/realms/plant")
    client_id: str = Field(description="as the identity provider knows Yeji")
    client_secret: SecretStr | None = Field(None, description="none = a public client, which PKCE protects")
    name: str = Field("Company account", description="what the button says")
    scopes: str = Field("openid profile email", description="what is asked of it")
    claim: str = Field("groups", description="claim of the ID token that says what somebody may do")
    roles: dict[str, OidcRole] = Field(
        default_factory=dict, description="value of that claim = role and places; nobody else gets in"
    )

    @field_validator("issuer")
    @classmethod
    def _https(cls, issuer: str) -> str:
        local = issuer.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
        if not issuer.startswith("https://") and not local:
            raise ValueError("the identity provider's address begins with https://")
        return issuer.rstrip("/")


class AccessSettings(Section):
    """Sessions and sign-in of the desk."""

    idle: float = Field(12.0, gt=0, description="hours without a request that end a session")
    longest: float = Field(168.0, gt=0, description="hours that a session lasts at most")
    invitation: float = Field(72.0, gt=0, description="hours that a one-time link can be used")
    attempts: int = Field(
        5, ge=1, description="wrong passwords from one place before the account has to wait there"
    )
    wait: float = Field(15.0, gt=0, description="minutes that it waits then")
    fresh: float = Field(
        10.0,
        gt=0,
        description="minutes after which the password is asked for anew before accounts change",
    )
    calls: int = Field(600, ge=1, description="calls of the API a minute by one key or person")
    hosts: list[str] = Field(
        default_factory=list, description="names the desk is reached by, besides desk.url and localhost"
    )
    oidc: OidcSettings | None = Field(None, description="the company's identity provider; none = passwords")


def clean_place(place: str) -> str:
    """A place without slashes around it. ValueError when nothing is left.

    >>> clean_place("/gwangju/ggm/")
    'gwangju/ggm'
    """
    cleaned = place.strip().strip("/")
    if not cleaned:
        raise ValueError('a place is empty: write a tenant or an area, as gwangju/ggm/body, or "*" for all')
    return cleaned
