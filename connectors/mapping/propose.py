"""A mapping proposed for some messages of a source: what is plain is set, what is not sure is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.mapping import shapes
from connectors.mapping.mapping import Mapped, Mapping
from connectors.mapping.settings import MappingSettings
from connectors.mapping.times import time_reader
from pipeline.machine import DEFAULT_LEVELS, LEVELS
from pipeline.records import Reason
from pipeline.wire.times import EARLIEST, LATEST


@dataclass(frozen=True, slots=True)
class Sample:
    """One message: its topic (None = it has none), and its payload."""

    topic: str | None
    payload: bytes


@dataclass(slots=True)
class Proposal:
    """``settings``: what was found out; ``doubts``: what to look at; ``mapped``: what they make of it."""

    settings: MappingSettings
    doubts: list[str] = field(default_factory=list)
    mapped: list[Mapped] = field(default_factory=list)

    def toml(self, source: str) -> str:
        """The settings as they go into yeji.toml, only what is not so by itself."""
        lines = [f"[sources.{source}.mapping]"]
        for name, value in self.settings.model_dump(exclude_defaults=True).items():
            lines.append(f"{name} = {_toml(value)}")
        return "\n".join(lines) + "\n"


def parse_samples(lines: Sequence[bytes]) -> list[Sample]:
    """A message a line: a payload, or a topic, a space and a payload, as ``mosquitto_sub -v`` prints them.

    >>> parse_samples([b'plant/P-1/temp 23.4', b'{"a": 1}'])[0]
    Sample(topic='plant/P-1/temp', payload=b'23.4')
    """
    samples: list[Sample] = []
    for line in lines:
        line = line.strip()
        topic, space, payload = line.partition(b" ")
        # line protocol begins with a measurement, which may be followed by tags
        slash = b"/" in topic and b"=" not in topic and not topic.startswith((b"{", b"["))
        named = space and (slash or (payload.startswith((b"{", b"[")) and topic[:1].isalnum()))
        if named:
            samples.append(Sample(topic.decode(errors="replace"), payload.strip()))
        elif line:
            samples.append(Sample(None, line))
    return samples


def propose(samples: Sequence[Sample], received: int) -> Proposal:
    """A mapping for messages of one source. Raises ValueError when there are none."""
    if not samples:
        raise ValueError("there is no message in the sample")
    documents = [document for sample in samples if (document := _document(sample.payload)) is not None]
    found: dict[str, Any] = {}
    doubts: list[str] = []
    preset = _preset(documents, samples)
    if preset != "plain":
        found["preset"] = preset
    mapped = _apply(found, samples, received)
    if _share(mapped, lambda one: _refused(one, Reason.MACHINE_MISSING)) > 0:
        _find_machine(samples, documents, found, doubts)
        mapped = _apply(found, samples, received)
    if not _share(mapped, lambda one: any(frame.time[0] != received for frame in one.frames)):
        _find_time(documents, found, doubts)
        mapped = _apply(found, samples, received)
    _say_of_times(documents, mapped, received, found, doubts)
    _say_of_names(mapped, doubts)
    for reason in sorted({one.reason for m in mapped for one in m.rejections}):
        detail = next(one.detail for m in mapped for one in m.rejections if one.reason == reason)
        count = sum(_refused(m, reason) for m in mapped)
        doubts.append(f"{count} of {len(samples)} messages: {reason.value}: {detail}")
    return Proposal(MappingSettings(**found), doubts, mapped)


def _apply(found: dict[str, Any], samples: Sequence[Sample], received: int) -> list[Mapped]:
    mapping = Mapping(MappingSettings(**found), "sample")
    return [mapping.apply(sample.payload, sample.topic, received) for sample in samples]


def _share(mapped: Sequence[Mapped], has: Callable[[Mapped], bool]) -> float:
    return sum(map(has, mapped)) / len(mapped)


def _refused(mapped: Mapped, reason: Reason) -> bool:
    return any(rejection.reason is reason for rejection in mapped.rejections)


def _document(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


# -- shapes


def _preset(documents: Sequence[Any], samples: Sequence[Sample]) -> str:
    topics = [sample.topic for sample in samples if sample.topic is not None]
    if topics and all(topic.startswith("umh/v1/") for topic in topics):
        return "umh"
    for preset, fits in _SHAPES.items():
        if documents and sum(map(fits, documents)) > len(documents) / 2:
            return preset
    return "plain"


def _has(document: Any, *names: str) -> bool:
    return isinstance(document, dict) and all(name in document for name in names)


def _is_telegraf(document: Any) -> bool:
    metrics = document.get("metrics") if isinstance(document, dict) else None
    if isinstance(metrics, list) and metrics:
        return _has(metrics[0], "fields", "tags")
    return _has(document, "fields", "tags")


def _is_thingsboard(document: Any) -> bool:
    first = document[0] if isinstance(document, list) and document else document
    return _has(first, "ts", "values")


def _is_gateway(document: Any) -> bool:
    if not isinstance(document, dict) or not document:
        return False
    return all(isinstance(one, list) and one and _has(one[0], "ts", "values") for one in document.values())


def _is_sparkplug(document: Any) -> bool:
    metrics = document.get("metrics") if isinstance(document, dict) else None
    return isinstance(metrics, list) and bool(metrics) and _has(metrics[0], "name")


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "telegraf": _is_telegraf,
    "thingsboard-gateway": _is_gateway,
    "thingsboard": _is_thingsboard,
    "neuron": lambda one: _has(one, "node", "group"),
    "sparkplug-json": _is_sparkplug,
    "node-red": lambda one: _has(one, "payload", "_msgid"),
}


# -- the machine


def _find_machine(
    samples: Sequence[Sample], documents: Sequence[Any], found: dict[str, Any], doubts: list[str]
) -> None:
    """Set where the machine stands: in the topic, or in a field of texts."""
    topics = [sample.topic.split("/") for sample in samples if sample.topic is not None]
    if len(topics) == len(samples) and len({len(topic) for topic in topics}) == 1 and len(topics[0]) > 1:
        found["topic"] = _pattern(topics, single=_single(documents, samples))
        doubts.append(
            f"the machine is taken from the topic, by `topic = {found['topic']!r}`: are these levels right?"
        )
        return
    candidates = _text_fields(documents)
    if candidates:
        found["machine"] = f"{{{candidates[0]}}}"
        others = f"; it could also be {', '.join(candidates[1:4])}" if candidates[1:] else ""
        doubts.append(f"the machine is taken from the field {candidates[0]!r}{others}")
        return
    found["machine"] = "/".join((*DEFAULT_LEVELS, "machine"))
    doubts.append("no field and no topic names the machine: write its five levels into `machine`")


def _single(documents: Sequence[Any], samples: Sequence[Sample]) -> bool:
    """Whether each message holds one value whose sensor it does not name."""
    bare = (
        len(samples) - len(documents) + sum(not isinstance(document, (dict, list)) for document in documents)
    )
    unnamed = sum(
        isinstance(document, dict)
        and shapes.field(document, shapes.VALUES) is not None
        and shapes.field(document, shapes.SENSORS) is None
        for document in documents
    )
    return bare + unnamed > len(samples) / 2


def _pattern(topics: Sequence[Sequence[str]], *, single: bool) -> str:
    """The levels from the right: the sensor where a message has one value, the machine, its line, area …"""
    names = iter([*(["sensor"] if single else []), *reversed(LEVELS)])
    levels = [{topic[at] for topic in topics} for at in range(len(topics[0]))]
    varied = any(len(level) > 1 for level in levels)
    out: list[str] = []
    for level in reversed(levels):
        # where all topics are the same, the last levels are named all the same
        naming = len(level) > 1 if varied else "{machine}" not in out
        name = next(names, None) if naming else None
        if name is not None:
            out.append(f"{{{name}}}")
        else:
            out.append(next(iter(level)) if len(level) == 1 else "+")
    if "{machine}" not in out and out[-1] != "{sensor}":  # only the sensor varies: the level before it
        out[out.index("{sensor}") + 1] = "{machine}"
    return "/".join(reversed(out))


def _text_fields(documents: Sequence[Any]) -> list[str]:
    """Fields of short texts in most documents that are no times, those with fewer different texts first."""
    texts: dict[str, set[str]] = {}
    counts: dict[str, int] = {}
    for document in documents:
        for name, value in document.items() if isinstance(document, dict) else ():
            short = isinstance(value, str) and 0 < len(value) <= 64 and not _is_time(value)
            if short and shapes.number_of(value) is None and re.fullmatch(r"\w[\w-]*", name):
                texts.setdefault(name, set()).add(value)
                counts[name] = counts.get(name, 0) + 1
    usual = [name for name, count in counts.items() if count > len(documents) / 2]
    return sorted(usual, key=lambda name: (len(texts[name]) < 2, len(texts[name])))


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


# -- what to look at


def _find_time(documents: Sequence[Any], found: dict[str, Any], doubts: list[str]) -> None:
    """Set a field that holds times in all documents, whatever it is called."""
    items = [document for document in documents if isinstance(document, dict)]
    if not items or shapes.field(items[0], shapes.TIMES) is not None:
        return
    read = time_reader("auto", UTC)
    for name, value in items[0].items():
        if not isinstance(value, (str, int)) or re.fullmatch(r"\w[\w-]*", name) is None:
            continue
        if all(EARLIEST <= (read(item.get(name)) or 0) < LATEST for item in items):
            found["time"] = name
            doubts.append(f"the time is taken from the field {name!r}")
            return


def _say_of_times(
    documents: Sequence[Any],
    mapped: Sequence[Mapped],
    received: int,
    found: dict[str, Any],
    doubts: list[str],
) -> None:
    times = [int(time) for m in mapped for frame in m.frames for time in frame.time]
    if times and all(time == received for time in times):
        doubts.append("no time was found: the time of arrival is taken")
    items = [document for document in documents if isinstance(document, dict)]
    texts = [text for item in items if isinstance(text := _time_in(item, found.get("time")), str)]
    naive = [text for text in texts if _is_time(text) and datetime.fromisoformat(text).tzinfo is None]
    if naive:
        doubts.append(f"times as {naive[0]!r} name no zone: set `timezone` if they are not UTC")


def _time_in(document: dict[str, Any], name: str | None) -> Any:
    name = name or shapes.field(document, shapes.TIMES)
    return None if name is None else document.get(name)


def _say_of_names(mapped: Sequence[Mapped], doubts: list[str]) -> None:
    machines = {frame.machine for m in mapped for frame in m.frames}
    default = "/".join(DEFAULT_LEVELS[:2])
    if any(machine.startswith(f"{default}/") for machine in machines):
        doubts.append(
            "machines stand under plant/site/…: set `levels` to your own enterprise/site/area/line before "
            "models are learned under these names"
        )


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + " }"
    return msgspec.json.encode(value).decode()
