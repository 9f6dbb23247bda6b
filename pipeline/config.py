"""``appgear.toml``: what the platform decides. Closed: an unknown table, key or type is an error with its name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.audit.policy import Policy
from pipeline.codec import visible
from pipeline.errors import UsageError
from pipeline.image.settings import ImageSettings, image_fault
from pipeline.kpi.settings import KpiSettings
from pipeline.opinion.settings import OpinionSettings, settings_fault
from pipeline.sbom.settings import SbomSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Config", "load_config"]

_MIN_RETENTION_DAYS = 90
_MAX_SPRINT_DAYS = 366


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The configuration. Paths are as written, relative to the folder of the configuration file.

    ``parameters`` hold the values that the plan fills in: ``[parameters.images]``, ``[parameters.labels]``, ….
    """

    module: str = ""
    retention_days: int = _MIN_RETENTION_DAYS
    opa_policies: tuple[str, ...] = ()
    applicationset_values: str = ""
    applicationset_folder: str = ""
    waivers: str = ""
    reference_matrix: str = ""
    reference_stack: str = ""
    reference_tree: str = ""
    policy: Policy = field(default_factory=Policy)
    opinion: OpinionSettings = field(default_factory=OpinionSettings)
    sbom: SbomSettings = field(default_factory=SbomSettings)
    image: ImageSettings = field(default_factory=ImageSettings)
    kpi: KpiSettings = field(default_factory=KpiSettings)
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def load_config(data: bytes, *, where: str) -> Config:
    """Read the configuration. UsageError names the key that is unknown or of the wrong type."""
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"não é TOML válido ({visible(str(error))})", where=where, mend="corrija o arquivo") from error
    reader = _Reader(tables, where)
    module = reader.table("module", {"path": str})
    retention = reader.table("retention", {"days": int})
    opa = reader.table("opa", {"policies": list})
    applicationset = reader.table("applicationset", {"values": str, "folder": str})
    waivers = reader.table("waivers", {"file": str})
    references = reader.table("references", {"matrix": str, "stack": str, "tree": str})
    known = {each.name: type(each.default) for each in fields(Policy)}
    policy = reader.table("policy", {name: list if kind is tuple else kind for name, kind in known.items()})
    opinion = reader.opinion()
    sbom = reader.sbom()
    image = reader.image()
    kpi = reader.kpi()
    parameters = reader.parameters()
    reader.finish()
    days = retention.get("days", _MIN_RETENTION_DAYS)
    if days < _MIN_RETENTION_DAYS:
        raise UsageError(f"[retention] days = {days}", where=where, mend=f"o mínimo é {_MIN_RETENTION_DAYS} dias")
    values: dict[str, Any] = {
        name: reader.texts("policy", name, value) if isinstance(value, list) else value
        for name, value in policy.items()
    }
    return Config(
        module=module.get("path", ""),
        retention_days=days,
        opa_policies=reader.texts("opa", "policies", opa.get("policies", [])),
        applicationset_values=applicationset.get("values", ""),
        applicationset_folder=applicationset.get("folder", ""),
        waivers=waivers.get("file", ""),
        reference_matrix=references.get("matrix", ""),
        reference_stack=references.get("stack", ""),
        reference_tree=references.get("tree", ""),
        policy=Policy(**values),
        opinion=opinion,
        sbom=sbom,
        image=image,
        kpi=kpi,
        parameters=parameters,
    )


class _Reader:
    """Takes tables out one by one; what is left at the end is unknown."""

    def __init__(self, tables: dict[str, Any], where: str) -> None:
        self._tables = tables
        self._where = where

    def table(self, name: str, keys: Mapping[str, type]) -> dict[str, Any]:
        table = self._tables.pop(name, {})
        if not isinstance(table, dict):
            raise self._fault(f"[{name}] deve ser uma tabela")
        for key, value in table.items():
            if key not in keys:
                raise self._fault(f"chave desconhecida `{visible(key)}` em [{name}]", known=", ".join(sorted(keys)))
            if type(value) is not keys[key]:
                raise self._fault(f"[{name}] {key} deve ser do tipo {keys[key].__name__}")
        return table

    def opinion(self) -> OpinionSettings:
        known = {each.name: type(each.default) for each in fields(OpinionSettings)}
        table = self.table("opinion", {name: list if kind is tuple else kind for name, kind in known.items()})
        fault = settings_fault(table)
        if fault:
            raise self._fault(f"[opinion] {fault}")
        hosts = self.texts("opinion", "hosts", table.pop("hosts", []))
        return OpinionSettings(**table, hosts=hosts)

    def image(self) -> ImageSettings:
        known = {each.name: type(each.default) for each in fields(ImageSettings)}
        table = self.table("image", {name: list if kind is tuple else kind for name, kind in known.items()})
        fault = image_fault(table)
        if fault:
            raise self._fault(f"[image] {fault}")
        modules, mirrors = (self.texts("image", name, table.pop(name, [])) for name in ("modules", "mirrors"))
        return ImageSettings(**table, modules=modules, mirrors=mirrors)

    def sbom(self) -> SbomSettings:
        table = self.table("sbom", {"deny": list, "warn": list, "organization": str})
        deny, warn = (self.texts("sbom", key, table.pop(key, [])) for key in ("deny", "warn"))
        return SbomSettings(**table, deny=deny, warn=warn)

    def kpi(self) -> KpiSettings:
        table = self.table("kpi", {"sprint_start": date, "sprint_days": int})
        days = table.get("sprint_days", 1)
        if not 1 <= days <= _MAX_SPRINT_DAYS:
            raise self._fault(f"[kpi] sprint_days = {days}: use de 1 a {_MAX_SPRINT_DAYS}")
        return KpiSettings(**table)

    def parameters(self) -> dict[str, dict[str, str]]:
        tables = self._tables.pop("parameters", {})
        if not isinstance(tables, dict):
            raise self._fault("[parameters] deve ser uma tabela")
        for name, table in tables.items():
            if not isinstance(table, dict):
                raise self._fault(f"[parameters] {visible(name)} deve ser uma tabela, como [parameters.images]")
            for key, value in table.items():
                if not isinstance(value, str):
                    raise self._fault(f'[parameters.{visible(name)}] "{visible(key)}" deve ser texto entre aspas')
        return tables

    def texts(self, table: str, key: str, values: list[Any]) -> tuple[str, ...]:
        if not all(isinstance(value, str) for value in values):
            raise self._fault(f"[{table}] {key} deve ser uma lista de textos")
        return tuple(values)

    def finish(self) -> None:
        if self._tables:
            known = (
                "module, retention, opa, applicationset, waivers, references, policy, opinion, image, kpi, parameters"
            )
            raise self._fault(f"tabela desconhecida [{visible(min(self._tables))}]", known=known)

    def _fault(self, message: str, *, known: str = "") -> UsageError:
        mend = f"as que existem: {known}" if known else "corrija o arquivo"
        return UsageError(message, where=self._where, mend=mend)
