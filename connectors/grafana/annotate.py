"""An annotation for every alarm: from its onset on, and as a span once its condition has ended.

An alarm's annotation is known by the tag `alarm:<id>`, so that an event that comes twice, or a clearing
that comes alone, still leaves one annotation.
"""

from __future__ import annotations

from html import escape

from connectors.base.contributors import contributors
from connectors.grafana.client import Grafana, Json
from connectors.grafana.dashboards.frame import TAG
from pipeline.records import AlarmEvent, AlarmPhase

#: Grafana's database keeps no more of a tag.
TAG_LENGTH = 100


def tags(event: AlarmEvent) -> list[str]:
    """What an alarm's annotation can be found by; the machine dashboard asks for its machine.

    >>> from pipeline.records import AlarmKind
    >>> what = {"id": "1f", "machine": "a/b/c/d/e", "machine_class": "", "kind": AlarmKind.LIMIT}
    >>> when = {"phase": AlarmPhase.RAISED, "onset": 0, "time": 0, "score": 1, "threshold": 1}
    >>> event = AlarmEvent(**what, **when, severity=4)
    >>> tags(event)
    ['yeji', 'a/b/c/d/e', 'kind:limit', 'priority:high', 'alarm:1f']
    """
    return [
        TAG,
        event.machine[:TAG_LENGTH],
        f"kind:{event.kind.value}",
        f"priority:{event.priority.name.lower()}",
        key(event),
    ]


def key(event: AlarmEvent) -> str:
    """The tag by which an alarm's annotation is known."""
    return f"alarm:{event.id}"


def text(event: AlarmEvent) -> str:
    """What the annotation says, as HTML: names come from outside."""
    lines = [
        f"<b>{escape(event.machine)}</b>",
        f"{event.kind.value} alarm, priority {event.priority.name.lower()}",
    ]
    if event.sensor:
        lines.append(f"sensor {escape(event.sensor)}")
    if event.detail:
        lines.append(escape(event.detail))
    if event.contributions:
        lines.append(
            f"score {event.score:.4g}, threshold {event.threshold:.4g}: {escape(contributors(event))}"
        )
    return "<br>".join(lines)


def annotate(grafana: Grafana, event: AlarmEvent) -> bool:
    """Make the alarm's annotation, or bring it up to date; False: there was nothing to do.

    Raises GrafanaError; the same event is to be given again later then.
    """
    end = event.time if event.phase is AlarmPhase.CLEARED else None
    wanted = tags(event)
    found = grafana.annotations(key(event))
    if not found:
        grafana.add_annotation(event.onset, end, wanted, text(event))
        return True
    first = found[0]
    if end is None or _says(first, event.onset, end):
        return False
    grafana.change_annotation(int(first["id"]), event.onset, end, wanted, text(event))
    return True


def _says(annotation: Json, onset: int, end: int) -> bool:
    return annotation.get("time") == onset and annotation.get("timeEnd") == end
