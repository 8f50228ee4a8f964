"""The kinds of channel that people are told by: ours, and those of installed packages (`yeji.channels`)."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

#: Where each kind's class is, called with the channel's name and its settings. Imported where one is used.
OWN = {
    "email": "desk.notify.smtp:EmailChannel",
    "webhook": "desk.notify.webhooks:WebhookChannel",
    "alertmanager": "desk.notify.webhooks:AlertmanagerChannel",
    "apprise": "desk.notify.apprise_channel:AppriseChannel",
}

#: Entry points of this group name a kind, and its class as ``module:class``.
GROUP = "yeji.channels"


@cache
def channel_kinds() -> dict[str, str]:
    """Every kind, and where its class is. Raises ValueError for a name that is taken."""
    kinds = dict(OWN)
    for point in entry_points(group=GROUP):
        if point.name in kinds:
            raise ValueError(
                f"an installed package brings a kind of channel {point.name!r} ({point.value}), and there "
                "is one of that name; remove the package, or have it renamed"
            )
        kinds[point.name] = point.value
    return kinds
