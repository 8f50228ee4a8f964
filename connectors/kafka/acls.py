"""Access rules of Kafka from a file: who may do what on the topics and the group of the settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import KafkaError as ClientError
from pydantic import Field, ValidationError, model_validator

from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from pipeline.settings import Section

_KNOWN = tuple(one.name for one in ACLOperation if one.name not in ("UNKNOWN", "ANY"))


class Allow(Section):
    """One entry of the file: a principal, what it may do, on which topics or groups."""

    principal: str = Field(pattern=r"^\w+:.+", description="as User:yeji-worker")
    topics: list[str] = Field(default_factory=list)
    groups: list[str] = Field(default_factory=list)
    prefixed: bool = False
    host: str = "*"
    operations: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> Allow:
        if bool(self.topics) == bool(self.groups):
            raise ValueError("name `topics` or `groups`, one of them")
        unknown = [operation for operation in self.operations if operation not in _KNOWN]
        if unknown:
            raise ValueError(f"no such operation: {', '.join(unknown)}; known are {', '.join(_KNOWN)}")
        return self


class _File(Section):
    allow: list[Allow]


def read_acls(path: Path, settings: KafkaSettings) -> list[ACL]:
    """The rules of a file, names in braces taken from ``settings``. Raises `KafkaError`.

    A rule on a topic that the settings have none of (``{scores}``) is left out.
    """
    names = {name: value for name, value in settings.model_dump().items() if isinstance(value, str)}
    try:
        entries = _File(**tomllib.loads(path.read_text())).allow
        return [
            acl
            for entry in entries
            for name in entry.topics or entry.groups
            for acl in _rules(entry, name, names)
        ]
    except (OSError, tomllib.TOMLDecodeError, ValidationError, KeyError) as error:
        raise KafkaError(f"{path} holds no access rules: {error}. See deploy/kafka/acls.toml.") from None


def _rules(entry: Allow, name: str, names: dict[str, str]) -> list[ACL]:
    if name.startswith("{") and name.strip("{}") not in names:
        if name.strip("{}") in KafkaSettings.model_fields:
            return []
        raise KeyError(name)
    kind = ResourceType.TOPIC if entry.topics else ResourceType.GROUP
    pattern = ACLResourcePatternType.PREFIXED if entry.prefixed else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(kind, name.format_map(names), pattern)
    return [
        ACL(entry.principal, entry.host, ACLOperation[operation], ACLPermissionType.ALLOW, resource)
        for operation in entry.operations
    ]


def missing_acls(settings: KafkaSettings, wanted: list[ACL]) -> list[ACL]:
    """Those of ``wanted`` that the brokers do not have. Raises `KafkaError`."""
    admin: Any = _admin(settings)
    try:
        everything = ACLFilter(
            None,
            None,
            ACLOperation.ANY,
            ACLPermissionType.ANY,
            ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
        )
        found, _ = admin.describe_acls(everything)
        there = {_key(one) for one in found}
        return [one for one in wanted if _key(one) not in there]
    except (ClientError, OSError) as error:
        raise _refused(settings, error) from error
    finally:
        admin.close()


def apply_acls(settings: KafkaSettings, wanted: list[ACL]) -> int:
    """Add what is missing, remove nothing; returns how many were added. Raises `KafkaError`."""
    missing = missing_acls(settings, wanted)
    if not missing:
        return 0
    admin: Any = _admin(settings)
    try:
        failed = admin.create_acls(missing)["failed"]
    except (ClientError, OSError) as error:
        raise _refused(settings, error) from error
    finally:
        admin.close()
    if failed:
        raise _refused(settings, failed[0][1])
    return len(missing)


def _key(acl: ACL) -> tuple[Any, ...]:
    pattern = acl.resource_pattern
    kind, name, how = pattern.resource_type, pattern.resource_name, pattern.pattern_type
    return acl.principal, acl.host, acl.operation, acl.permission_type, kind, name, how


def _admin(settings: KafkaSettings) -> KafkaAdminClient:
    try:
        return KafkaAdminClient(
            **client_options(settings), client_id="yeji-acls", bootstrap_timeout_ms=10_000
        )
    except (ClientError, OSError, ValueError) as error:
        raise _refused(settings, error) from error


def _refused(settings: KafkaSettings, error: BaseException) -> KafkaError:
    text = " ".join(str(error).split())[:300]
    return KafkaError(
        f"Access rules at {settings.brokers} cannot be read or set: {type(error).__name__}: {text}. The "
        "brokers need an authorizer (authorizer.class.name), and this login the right Alter on the cluster."
    )
