"""What a message says of a work order, in words for people; systems read the order itself."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, tzinfo

from desk.rules.journal import Entry
from desk.rules.notification import Notification, OrderChange
from desk.rules.routing import Kind
from desk.rules.work_orders import WorkOrder
from desk.texts.catalogue import Texts
from pipeline.records import ID_NAMESPACE


@dataclass(frozen=True, slots=True)
class OrderWriter:
    """Writes messages on work orders; ``url`` is the desk's own address."""

    url: str
    zone: tzinfo
    language: str

    def write(self, entry: Entry, order: WorkOrder, channel: str) -> Notification:
        """What ``channel`` is told of ``entry``. Its id follows from both, so that it is told once."""
        t, act = Texts(self.language), entry.action.removeprefix("order-")
        link = f"{self.url}/orders/{order.id}"
        lines = [
            t("message.intro.work-order", what=t(f"entry.{entry.action}"), by=entry.by),
            f"#{order.number} {order.title}",
            f"{t('machine')}: {order.machine}",
            f"{t('priority')}: {t(f'priority.{order.priority.name.lower()}')}",
            f"{t('state')}: {t(f'order.{order.state}')}",
        ]
        if order.assignee:
            lines.append(f"{t('orders.assignee')}: {order.assignee}")
        if order.due is not None:
            due = datetime.fromtimestamp(order.due / 1000, self.zone).strftime("%Y-%m-%d %H:%M %Z")
            lines.append(f"{t('orders.due')}: {due}")
        lines += [one for one in (order.instructions, order.report, entry.why) if one]
        return Notification(
            id=str(uuid.uuid5(ID_NAMESPACE, f"work order change\n{channel}\n{order.id}\n{entry.seq}")),
            kind=Kind.WORK_ORDER,
            crew="",
            channel=channel,
            language=self.language,
            priority=order.priority.name.lower(),
            subject=" ".join(
                t(
                    "message.subject.work-order",
                    number=order.number,
                    state=t(f"order.{order.state}"),
                    title=order.title,
                    unit=order.machine.rpartition("/")[2],
                ).split()
            ),
            text="\n".join([*dict.fromkeys(lines), link]) + "\n",
            made=entry.at,
            link=link,
            alerts=(),
            change=OrderChange(entry.seq, act, entry.by, entry.at, order, entry.why),
        )
