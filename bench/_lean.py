"""The floor of an audit: libyaml's events to nodes and values with positions, a few plain rules, findings as JSON.

Run: python bench/_lean.py FOLDER OUTPUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs leave it out of __all__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RESOLVER = yaml.SafeLoader("")
_KNOWN: dict[str, Any] = {}
_BUILDERS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda _text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() in {"true", "yes", "on"},
    "tag:yaml.org,2002:int": lambda text: int(text, 0) if text.lstrip("+-0").isdigit() else text,
    "tag:yaml.org,2002:float": float,
}
_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/part-of", "appgear.io/tier", "appgear.io/suite",
           "appgear.io/topology", "appgear.io/tenant-id", "appgear.io/workspace-id")  # fmt: skip


class _Parser(CParser):
    def resolve(self, kind: type[yaml.Node], _value: str | None, implicit: Any) -> str:
        return "plain" if kind is yaml.ScalarNode and implicit[0] else "text"

    def descend_resolver(self, current: object, index: object) -> None: ...

    def ascend_resolver(self) -> None: ...


def _scalar(text: str) -> Any:
    if text not in _KNOWN:
        tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        _KNOWN[text] = _BUILDERS.get(tag, str)(text)
    return _KNOWN[text]


def _build(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _build(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_build(item) for item in node.value]
    return _scalar(node.value) if node.tag == "plain" else node.value


def _objects(text: str) -> Iterator[tuple[Any, yaml.Node]]:
    parser = _Parser(text)
    while parser.check_node():
        node = parser.get_node()
        if node is not None:
            yield _build(node), node
    parser.dispose()


def _line(node: yaml.Node, *path: str | int) -> int:
    for part in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in pairs if key.value == part), node)
    return int(node.start_mark.line) + 1


def _judge(value: Any, node: yaml.Node) -> Iterator[tuple[str, int]]:
    if not isinstance(value, dict) or "kind" not in value:
        return
    labels = (value.get("metadata") or {}).get("labels") or {}
    if "metadata" in value:
        yield from ((f"label {each}", _line(node, "metadata", "labels")) for each in _LABELS if each not in labels)
    spec = value.get("spec") or {}
    if value["kind"] == "Service" and spec.get("type") in {"LoadBalancer", "NodePort"}:
        yield "service type", _line(node, "spec", "type")
    for each in spec.get("template", {}).get("spec", {}).get("containers", ()):
        image = each.get("image", "")
        context = each.get("securityContext", {})
        wrong = {
            "image tag": image.endswith(":latest") or ":" not in image,
            "limits": "limits" not in each.get("resources", {}),
            "requests": "requests" not in each.get("resources", {}),
            "escalation": context.get("allowPrivilegeEscalation") is not False,
            "root": context.get("runAsNonRoot") is not True,
            "privileged": context.get("privileged") is True,
            "readiness": "readinessProbe" not in each,
            "liveness": "livenessProbe" not in each,
            "host port": any("hostPort" in port for port in each.get("ports", ())),
        }
        yield from ((name, _line(node, "spec", "template", "spec")) for name, found in wrong.items() if found)


def main(folder: Path, output: Path) -> None:
    found = []
    for path in sorted(folder.rglob("*.yaml")):
        for value, node in _objects(path.read_text(encoding="utf-8")):
            found += [{"file": str(path), "line": line, "rule": rule} for rule, line in _judge(value, node)]
    output.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
