"""What the values of Rego rules mean as findings: texts, objects with ``msg``, and what the annotations add."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.opa_policy import PolicyModule, PolicyRule, read_severity
from pipeline.codec import visible
from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["NotAReportError", "PolicyResult", "ReportingRule"]

_MAX_MESSAGE = 1000
_DEFAULT_SEVERITY = {"deny": Severity.ALTA, "violation": Severity.ALTA, "warn": Severity.BAIXA}


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyResult:
    """One finding of one rule on one object; ``package`` is dotted, ``rule`` the rule's name in it."""

    package: str
    rule: str
    message: str
    severity: Severity
    title: str = ""
    description: str = ""
    ids: tuple[str, ...] = ()


class NotAReportError(Exception):
    """A rule's value is neither text nor an object with ``msg``."""


class ReportingRule:
    """All definitions of one rule, and what their annotations say together."""

    def __init__(
        self,
        package: tuple[str, ...],
        name: str,
        definitions: list[tuple[PolicyModule, PolicyRule]],
        modules: tuple[PolicyModule, ...],
    ) -> None:
        self.package = ".".join(package)
        self.path = definitions[0][0].path
        self.line = definitions[0][1].line
        self._name = name
        of_package = [module.annotation for module in modules if module.package == package and module.annotation]
        own = [rule.annotation for _, rule in definitions if rule.annotation]
        said = own or of_package
        severities = [one.severity for one in own if one.severity] or [
            one.severity for one in of_package if one.severity
        ]
        default = _DEFAULT_SEVERITY[definitions[0][1].level]
        self._severity = min(severities, key=lambda severity: severity.rank) if severities else default
        # Bodies that say different things cannot be told apart in the result: then the package speaks for all.
        self._title = _only(one.title for one in said) or _only(one.title for one in of_package)
        self._description = _only(one.description for one in said) or _only(one.description for one in of_package)
        self._ids = tuple(dict.fromkeys(name for one in said for name in one.ids))

    def reports(self, value: object) -> Iterator[PolicyResult]:
        """Findings in a value: text, true, an object with ``msg``, a list or set of these, an object of these."""
        if isinstance(value, dict) and "msg" not in value and "message" not in value:
            for key in sorted(value):
                yield from [self._result(key)] if value[key] is True else self._items(value[key])
        else:
            yield from self._items(value)

    def _items(self, value: object) -> Iterator[PolicyResult]:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield self._result(item)
            elif item is True:
                yield self._result("")
            elif isinstance(item, dict) and ("msg" in item or "message" in item):
                said = item.get("msg", item.get("message"))
                text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, sort_keys=True)
                yield self._result(text, read_severity(item.get("severity")))
            elif item is not False:
                raise NotAReportError(f"`{self._name}` devolve um valor que não é texto nem objeto com `msg`")

    def _result(self, message: str, severity: Severity | None = None) -> PolicyResult:
        text = " ".join(visible(message).split())[:_MAX_MESSAGE]
        return PolicyResult(
            package=self.package,
            rule=self._name,
            message=text or self._title or f"a regra `{self._name}` da política {self.package} vale para este objeto",
            severity=severity or self._severity,
            title=self._title,
            description=self._description,
            ids=self._ids,
        )


def _only(texts: Iterable[str]) -> str:
    distinct = {text for text in texts if text}
    return distinct.pop() if len(distinct) == 1 else ""
