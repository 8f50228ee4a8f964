"""Which sensors raised an alarm, in a few words: for a field, an annotation, a table."""

from __future__ import annotations

from pipeline.records import AlarmEvent


def contributors(alarm: AlarmEvent, most: int = 5) -> str:
    """The sensors that raised an alarm, in a few words.

    >>> from pipeline.records import *
    >>> one = Contribution("temperature", 0.71, 84.0, 61.5, 9.26)
    >>> what = {"id": "i", "machine": "m", "machine_class": "", "kind": AlarmKind.CONDITION, "severity": 1}
    >>> when = {"phase": AlarmPhase.RAISED, "onset": 0, "time": 0, "score": 1, "threshold": 1}
    >>> event = AlarmEvent(**what, **when, contributions=(one,))
    >>> contributors(event)
    'temperature 71 % (84, expected 61.5, +9.3 sd)'
    """
    texts = []
    for contribution in sorted(alarm.contributions, key=lambda c: -c.share)[:most]:
        known = [f"{contribution.value:g}"] if contribution.value is not None else []
        known += [f"expected {contribution.expected:g}"] if contribution.expected is not None else []
        known += [f"{contribution.deviation:+.1f} sd"] if contribution.deviation is not None else []
        texts.append(
            f"{contribution.sensor} {contribution.share:.0%}".replace("%", " %")
            + (f" ({', '.join(known)})" if known else "")
        )
    return "; ".join(texts)
