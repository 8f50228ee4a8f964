"""The topics that Yeji needs: what each must be like, what is there, and making the difference good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.errors import KafkaError as ClientError

from connectors.kafka.errors import KafkaError, KafkaUnreachableError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings

#: What waiting does not mend.
_FOR_GOOD = (
    AuthorizationError,
    IllegalSaslStateError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
    ValueError,
)
_DAY = 24 * 3600 * 1000
#: A message of 10 MB must get through, so that it can be rejected with its bytes.
FRAME_BYTES = 16 << 20
#: The rejected record is the message and its headers.
REJECTED_BYTES = FRAME_BYTES + (1 << 20)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must be like. ``partitions`` must fit exactly when ``fixed``: keys stay where they are."""

    name: str
    partitions: int
    configs: dict[str, str] = field(default_factory=dict)
    fixed: bool = False


class TopicState(StrEnum):
    """How a topic compares with its specification."""

    FINE = "fine"
    MISSING = "missing"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What was found. ``settable``: configs to alter; ``problems``: what only a person can decide.

    ``unequal``: it has not as many partitions as the frames, and no worker can run.
    """

    spec: TopicSpec
    state: TopicState
    partitions: int = 0
    settable: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    unequal: bool = False


def wanted(settings: KafkaSettings) -> list[TopicSpec]:
    """The topics of these settings."""
    n = settings.partitions
    specs = [
        TopicSpec(
            settings.frames,
            n,
            {
                "cleanup.policy": "delete",
                "retention.ms": str(7 * _DAY),
                "max.message.bytes": str(FRAME_BYTES),
                # The broker's clock is one; producers' clocks are many, and some run ahead.
                "message.timestamp.type": "LogAppendTime",
            },
            fixed=True,
        ),
        TopicSpec(
            settings.rejected,
            n,
            {
                "cleanup.policy": "delete",
                "retention.ms": str(30 * _DAY),
                "max.message.bytes": str(REJECTED_BYTES),
            },
        ),
        TopicSpec(settings.alerts, n, {"cleanup.policy": "compact"}),
        TopicSpec(
            settings.feedback,
            n,
            {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY)},
            fixed=True,
        ),
        TopicSpec(
            settings.snapshots,
            n,
            {
                "cleanup.policy": "compact",
                # Each checkpoint writes machines again: small segments, compacted early, keep recovery short.
                "segment.bytes": str(64 << 20),
                "min.cleanable.dirty.ratio": "0.2",
                "max.message.bytes": str(FRAME_BYTES),
            },
            fixed=True,
        ),
    ]
    if settings.scores is not None:
        specs.append(
            TopicSpec(settings.scores, n, {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY)})
        )
    return specs


@dataclass(frozen=True, slots=True)
class TopicShape:
    """What tells one topic from another of the same name (``id``), and how many partitions it has."""

    id: str
    partitions: int


def topic_shapes(settings: KafkaSettings, names: Sequence[str]) -> dict[str, TopicShape]:
    """The shapes of those topics that are there. Raises `KafkaError` when no broker tells."""
    topics = Topics(settings)
    try:
        return topics.shapes(names)
    finally:
        topics.close()


class Topics:
    """An administrator's connection. Raises `KafkaError` when the brokers cannot be reached."""

    def __init__(self, settings: KafkaSettings, timeout: float = 10.0) -> None:
        self._settings = settings
        try:
            self._client = KafkaAdminClient(
                **client_options(settings),
                client_id="yeji-topics",
                request_timeout_ms=int(timeout * 1000),
                bootstrap_timeout_ms=int(timeout * 1000),
            )
        except (ClientError, OSError, ValueError) as error:
            raise _unreachable(settings, error) from error

    def check(self) -> list[TopicReport]:
        """Compare every wanted topic with what is there."""
        specs = wanted(self._settings)
        try:
            names = set(self._client.list_topics())
            there = [spec.name for spec in specs if spec.name in names]
            described = {t["name"]: t for t in self._client.describe_topics(there)} if there else {}
            configs = self._configs(there)
        except (ClientError, OSError) as error:
            raise _unreachable(self._settings, error) from error
        return [
            _compare(spec, described.get(spec.name), configs.get(spec.name, {}), specs[0], described)
            for spec in specs
        ]

    def shapes(self, names: Sequence[str]) -> dict[str, TopicShape]:
        """The shapes of those of ``names`` that are there."""
        try:
            there = set(self._client.list_topics())
            found = self._client.describe_topics([name for name in names if name in there])
        except (ClientError, OSError) as error:
            raise _unreachable(self._settings, error) from error
        return {
            topic["name"]: TopicShape(str(topic.get("topic_id") or ""), len(topic["partitions"]))
            for topic in found
            if topic["name"] in names
        }

    def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found = self._client.describe_configs(resources, config_filter="all")
        return {
            name: {key: str(value["value"]) for key, value in entries.items()}
            for name, entries in found.get("topic", {}).items()
        }

    def apply(self, reports: list[TopicReport], *, grow: bool = False) -> list[TopicReport]:
        """Create what is missing, set what differs; what is there keeps its data. Checks again.

        ``grow``: topics that have fewer partitions than the settings say are given more.
        """
        main = reports[0].partitions  # of the frames topic, when it is there
        new = {
            report.spec.name: {
                "num_partitions": main if report.spec.fixed and main else report.spec.partitions,
                "replication_factor": self._settings.replication,
                "configs": report.spec.configs,
            }
            for report in reports
            if report.state is TopicState.MISSING
        }
        # More partitions are given to all that must be equal, the frames last: what comes in the new ones has
        # its snapshots' and verdicts' partitions then.
        most = max((r.partitions for r in reports if r.spec.fixed), default=0)
        if grow:
            most = max(most, self._settings.partitions)
        grown = {
            report.spec.name: most
            for report in reversed(reports)
            if report.spec.fixed and 0 < report.partitions < most
        }
        changed = [
            ConfigResource(ConfigResourceType.TOPIC, report.spec.name, dict(report.settable))
            for report in reports
            if report.settable
        ]
        try:
            if new:
                self._client.create_topics(new, wait_for_metadata=True)
            if changed:
                self._client.alter_configs(changed)
            if grown:
                self._client.create_partitions(grown)
        except (ClientError, OSError) as error:
            raise KafkaError(
                f"Topics cannot be created or changed: {_text(error)}. The user needs the rights Create and "
                "AlterConfigs, and kafka.replication must not exceed the number of brokers."
            ) from error
        return self._settled()

    def _settled(self, patience: float = 5.0) -> list[TopicReport]:
        """Check until every broker tells of the changes: they reach it a moment after the controller."""
        deadline = time.monotonic() + patience
        while True:
            reports = self.check()
            left = any(report.settable or report.state is TopicState.MISSING for report in reports)
            if not left or time.monotonic() > deadline:
                return reports
            time.sleep(0.1)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def require_topics(settings: KafkaSettings) -> None:
    """Raise `KafkaError` unless every topic is there, and those that must be equal are."""
    topics = Topics(settings)
    try:
        reports = topics.check()
    finally:
        topics.close()
    missing = [report.spec.name for report in reports if report.state is TopicState.MISSING]
    if missing:
        raise KafkaError(f"Topics are missing: {', '.join(missing)}. Create them with `yeji topics`.")
    unequal = [f"{r.spec.name}: {problem}" for r in reports if r.unequal for problem in r.problems]
    if unequal:
        raise KafkaError("\n".join(unequal))


def _compare(
    spec: TopicSpec,
    described: dict[str, Any] | None,
    configs: dict[str, str],
    frames: TopicSpec,
    all_described: dict[str, dict[str, Any]],
) -> TopicReport:
    if described is None:
        return TopicReport(spec, TopicState.MISSING)
    partitions = len(described["partitions"])
    settable = {
        key: value for key, value in spec.configs.items() if not _enough(key, configs.get(key), value)
    }
    problems: list[str] = []
    main = all_described.get(frames.name)
    expected = len(main["partitions"]) if main is not None else spec.partitions
    unequal = spec.fixed and partitions != expected
    if unequal:
        problems.append(
            f"{partitions} partitions, but {frames.name} has {expected}: they must be equal, for a machine "
            "has the same number in each. `yeji topics` adds what is missing; nothing is deleted."
        )
    elif spec.fixed and partitions < spec.partitions:
        problems.append(
            f"{partitions} partitions, kafka.partitions says {spec.partitions}. Set kafka.partitions to "
            f"{partitions}, or add them with `yeji topics --partitions {spec.partitions}`: running workers "
            "take them up, and models move along."
        )
    elif spec.fixed and partitions > spec.partitions:
        problems.append(
            f"{partitions} partitions, kafka.partitions says {spec.partitions}. Set kafka.partitions to "
            f"{partitions}: Kafka cannot take partitions away."
        )
    state = TopicState.DIFFERENT if settable or problems else TopicState.FINE
    return TopicReport(spec, state, partitions, settable, tuple(problems), unequal)


def _enough(key: str, there: str | None, wanted_value: str) -> bool:
    """Whether a config will do: limits may be higher, retention is the user's own choice once it is set."""
    if there is None:
        return False
    if key == "max.message.bytes":
        return int(there) >= int(wanted_value)
    if key in ("retention.ms", "segment.bytes", "min.cleanable.dirty.ratio"):
        return True
    return there == wanted_value


def _unreachable(settings: KafkaSettings, error: BaseException) -> KafkaError:
    kind = KafkaError if isinstance(error, _FOR_GOOD) else KafkaUnreachableError
    return kind(
        f"Kafka at {settings.brokers} cannot be used: {_text(error)}. Start it, or correct kafka.brokers and "
        "kafka.security."
    )


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
