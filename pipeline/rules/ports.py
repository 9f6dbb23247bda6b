"""Ports that a Compose service publishes, in the short and the long syntax, and the ports of databases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.finding import Operation
from pipeline.rules.shapes import items
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import ComposeService

__all__ = ["DATABASES", "PublishedPort", "host_ports", "published_ports"]

DATABASES: dict[int, str] = {
    1433: "SQL Server",
    1521: "Oracle",
    2379: "etcd",
    3306: "MySQL",
    5432: "PostgreSQL",
    5672: "RabbitMQ",
    5984: "CouchDB",
    6333: "Qdrant",
    6334: "Qdrant gRPC",
    6379: "Redis",
    6432: "PgBouncer",
    7687: "Neo4j",
    8123: "ClickHouse",
    9042: "Cassandra",
    9092: "Kafka",
    9200: "Elasticsearch",
    11211: "Memcached",
    19530: "Milvus",
    26379: "Redis Sentinel",
    27017: "MongoDB",
}
_HELD = re.compile(r"\$\{[^}]*\}|\[[^\]]*\]")
_DEFAULT = re.compile(r"\$\{\w+:?-([^}]*)\}")
_ADDRESS_AND_PORTS = 3
_LOCAL = frozenset(("localhost", "::1"))


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedPort:
    """One entry of ``ports``: ``host`` is the address it is bound to (empty: all), ``target`` the container's port."""

    index: int
    entry: str | int | dict[str, object]
    host: str
    target: int

    @property
    def is_local(self) -> bool:
        """Whether only the machine itself reaches it. An address in a variable is a decision left to the operator."""
        host = self.host.strip("[]")
        return host.startswith(("127.", "$")) or host in _LOCAL

    def bind_locally(self) -> Operation:
        """The same publication on the loopback address; the operation's pointer starts at the service."""
        if isinstance(self.entry, dict):
            pointer = json_pointer(("ports", self.index, "host_ip"))
            return Operation(op="replace" if "host_ip" in self.entry else "add", path=pointer, value="127.0.0.1")
        parts = _parts(str(self.entry))[-2:]
        ports = ":".join(parts) if len(parts) > 1 else f":{self.entry}"
        return Operation(op="replace", path=json_pointer(("ports", self.index)), value=f"127.0.0.1:{ports}")


def published_ports(service: ComposeService) -> Iterator[PublishedPort]:
    """Entries whose container port is known; ranges count by their first port, ``${X:-5432}`` by its default."""
    for index, entry in enumerate(items(service.value.get("ports"))):
        if isinstance(entry, dict):
            host, target = str(entry.get("host_ip") or ""), _port(str(entry.get("target", "")))
        elif isinstance(entry, str) or (isinstance(entry, int) and not isinstance(entry, bool)):
            parts = [_DEFAULT.sub(r"\1", part) for part in _parts(str(entry))]
            host = parts[0] if len(parts) == _ADDRESS_AND_PORTS else ""
            target = _port(parts[-1])
        else:
            continue
        if target is not None:
            yield PublishedPort(index=index, entry=entry, host=host, target=target)


def _parts(entry: str) -> list[str]:
    """What stands between the colons; those inside a variable or an IPv6 address do not separate."""
    held = _HELD.sub(lambda found: found[0].replace(":", "\0"), entry)
    return [part.replace("\0", ":") for part in held.split(":")]


def _port(plain: str) -> int | None:
    first = plain.partition("/")[0].partition("-")[0]
    return int(first) if first.isascii() and first.isdigit() and len(first) < 6 else None


def host_ports(service: ComposeService) -> Iterator[int]:
    """Ports of the host that a service publishes, ranges by both ends' span."""
    for entry in items(service.value.get("ports")):
        if isinstance(entry, dict):
            published = str(entry.get("published", ""))
        else:
            parts = [_DEFAULT.sub(r"\1", part) for part in _parts(str(entry))]
            published = parts[-2] if len(parts) > 1 else ""
        first, _, last = published.partition("-")
        start, end = _port(first), _port(last or first)
        if start is not None and end is not None and end - start < 1000:
            yield from range(start, end + 1)
