"""One session with an OPC UA server: connect, find nodes, subscribe to many at once, read history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from asyncua import Client, Node, ua
from asyncua.crypto import security_policies
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua.paths import parse_path
from connectors.opcua.settings import OpcUaSettings

APPLICATION_URI = "urn:yeji:connect"
#: This many monitored items are asked for in one request.
_ITEMS = 500
_HAS_PROPERTY = ua.NodeId(ua.Int32(ua.ObjectIds.HasProperty))
_DEPTH = 6

#: What is called with the notifications of one publish response.
OnValues = Callable[[Sequence[Any]], None]


class UaSession:
    """A session. Raises what asyncua raises: `UaError`, `OSError`, `TimeoutError`."""

    def __init__(self, settings: OpcUaSettings, on_values: OnValues) -> None:
        self._settings, self._on_values = settings, on_values
        self._client = Client(settings.url, timeout=settings.timeout)
        self._client.application_uri = APPLICATION_URI
        self._client.name = self._client.description = "Yeji"
        self._client.connection_lost_callback = self._lost
        self.lost = asyncio.Event()
        self._namespaces: dict[str, int] = {}
        self._subscription: int = 0
        self._heard = time.monotonic()
        self._patience = 0.0

    async def connect(self) -> None:
        """Connect, log in, learn the namespaces, make a subscription."""
        settings, client = self._settings, self._client
        security = settings.security
        if security.policy != "none" and security.cert_file is not None and security.key_file is not None:
            await client.setup_self_signed_certificate(security.key_file, security.cert_file)
            server = security.server_cert_file
            await client.set_security(
                getattr(security_policies, f"SecurityPolicy{security.policy}"),
                str(security.cert_file),
                str(security.key_file),
                server_certificate=None if server is None else str(server),
                mode=getattr(ua.MessageSecurityMode, security.mode),
            )
        if settings.username is not None:
            client.set_user(settings.username)
            client.set_password("" if settings.password is None else settings.password.get_secret_value())
        await client.connect()
        uris = await client.get_namespace_array()
        self._namespaces = {uri: index for index, uri in enumerate(uris)}
        await self._subscribe()

    async def _subscribe(self) -> None:
        interval = self._settings.interval
        keepalive = max(1, round(5.0 / interval))
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval * 1000,
            RequestedLifetimeCount=keepalive * 10,
            RequestedMaxKeepAliveCount=keepalive,
            MaxNotificationsPerPublish=10_000,
        )
        made = await self._client.uaclient.create_subscription(parameters, self._published)
        self._subscription = made.SubscriptionId
        self._heard = time.monotonic()
        self._patience = 3 * made.RevisedMaxKeepAliveCount * made.RevisedPublishingInterval / 1000 + 5

    async def _published(self, result: ua.PublishResult) -> None:
        self._heard = time.monotonic()
        for notification in result.NotificationMessage.NotificationData or ():
            if isinstance(notification, ua.DataChangeNotification):
                self._on_values(notification.MonitoredItems)
            elif isinstance(notification, ua.StatusChangeNotification):
                self.lost.set()  # the server has given the subscription up

    async def _lost(self, error: Exception) -> None:
        self.lost.set()

    @property
    def alive(self) -> bool:
        """Whether the server was heard of lately: values or the subscription's signs of life."""
        return not self.lost.is_set() and time.monotonic() - self._heard < self._patience

    async def monitor(self, nodes: dict[int, ua.NodeId]) -> list[int]:
        """Subscribe to the values of nodes, each under its handle; the handles that the server took."""
        taken: list[int] = []
        handles = list(nodes)
        for at in range(0, len(handles), _ITEMS):
            part = handles[at : at + _ITEMS]
            requests = [
                ua.MonitoredItemCreateRequest(
                    ItemToMonitor=ua.ReadValueId(NodeId=nodes[handle], AttributeId=ua.AttributeIds.Value),
                    MonitoringMode=ua.MonitoringMode.Reporting,
                    RequestedParameters=ua.MonitoringParameters(
                        ClientHandle=handle,
                        SamplingInterval=self._settings.sampling * 1000,
                        QueueSize=self._settings.queue,
                        DiscardOldest=True,
                    ),
                )
                for handle in part
            ]
            parameters = ua.CreateMonitoredItemsParameters(
                SubscriptionId=self._subscription,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=requests,
            )
            results = await self._client.uaclient.create_monitored_items(parameters)
            taken += [
                handle
                for handle, result in zip(part, results, strict=True)
                if result.StatusCode is not None and result.StatusCode.is_good()
            ]
        return taken

    async def find(self, path: str, start: Node | None = None) -> Node | None:
        """The node at a browse path from ``start`` (none = Objects); None = it is not there (yet)."""
        names = []
        for prefix, name in parse_path(path):
            index = self._index(prefix)
            if index is None:
                return None
            names.append(ua.QualifiedName(name, index))
        try:
            return await (start or self._client.nodes.objects).get_child(names)
        except (ua.uaerrors.BadNoMatch, ua.uaerrors.BadNotFound):
            return None

    def _index(self, prefix: str) -> int | None:
        if prefix.isdecimal():
            return int(prefix)
        if prefix:
            return self._namespaces.get(self._settings.namespaces[prefix])
        own = list(self._settings.namespaces.values())
        return self._namespaces.get(own[0]) if own else 0

    async def objects(self, folder: Node) -> list[tuple[str, Node]]:
        """The objects right below a node, with their browse names."""
        found = await folder.get_children_descriptions(nodeclassmask=ua.NodeClass.Object)
        return [(str(one.BrowseName.Name), self._client.get_node(one.NodeId)) for one in found]

    async def variables(self, node: Node, depth: int = _DEPTH) -> list[tuple[str, ua.NodeId]]:
        """Every variable below a node, named by the browse names of the way to it; no properties."""
        found: list[tuple[str, ua.NodeId]] = []
        for one in await node.get_children_descriptions():
            name = str(one.BrowseName.Name)
            if one.ReferenceTypeId == _HAS_PROPERTY:
                continue
            if one.NodeClass == ua.NodeClass.Variable:
                found.append((name, one.NodeId))
            if depth > 1 and one.NodeClass in (ua.NodeClass.Object, ua.NodeClass.Variable):
                below = await self.variables(self._client.get_node(one.NodeId), depth - 1)
                found += [(f"{name}/{inner}", node_id) for inner, node_id in below]
        return found

    async def history(self, node_id: ua.NodeId, start: int, end: int) -> list[ua.DataValue]:
        """The values of a node between two times (ms UTC); none where the server keeps none."""
        node = self._client.get_node(node_id)
        try:
            return await node.read_raw_history(_instant(start), _instant(end), return_bounds=False)
        except UaStatusCodeError:
            return []

    async def close(self) -> None:
        """End the session."""
        await asyncio.wait_for(self._client.disconnect(), self._settings.timeout)


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
