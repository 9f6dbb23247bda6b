"""The toolkit as a graph: the locked environment, the same wherever it is asked for."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.domain.sbom import Component, Sbom
from pipeline.errors import IntegrityError, ToolError
from pipeline.sbom.cdx_load import load_cyclonedx
from pipeline.sbom.graph import anchored
from pipeline.sbom.licences import normalise
from pipeline.sbom.texts import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.domain.sbom import SbomTool

__all__ = ["Lock", "build_toolkit", "read_lock"]

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_LOCK = "requirements/pipeline.txt"
_METADATA = "requirements/pipeline.metadata.toml"
_MEND = "rode `python tools/lock_metadata.py` e faça o commit"
_COMMENT = "um dos arquivos que o lock aceita no PyPI"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Package:
    version: str
    licence: str
    supplier: str
    requires: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """``pins`` are name → version of the lock; ``packages`` what the metadata beside it says of each of them."""

    pins: Mapping[str, str]
    requires: tuple[str, ...]
    packages: Mapping[str, _Package]


def read_lock(lock: bytes, metadata: bytes) -> Lock:
    """Both files, which must speak of the same packages.

    ToolError for a lock without packages; IntegrityError when a package is in one and not in the other.
    """
    pins = {_canonical(name): version for name, version in _PIN.findall(lock.decode("utf-8", "replace"))}
    if not pins:
        raise ToolError("o lock não tem pacote algum", where=_LOCK, mend="compile-o de novo (requirements/README.md)")
    try:
        tables: dict[str, Any] = tomllib.loads(metadata.decode("utf-8"))
        packages = {
            name: _Package(
                version=row["version"],
                licence=row["licence"],
                supplier=row["supplier"],
                requires=tuple(row["requires"]),
            )
            for name, row in tables["packages"].items()
        }
        requires = tuple(tables["requires"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError("não são os metadados do lock", where=_METADATA, mend=_MEND) from error
    told = {name: each.version for name, each in packages.items()}
    differing = sorted(name for name in pins.keys() | told.keys() if pins.get(name) != told.get(name))
    if differing:
        raise IntegrityError(f"não acompanha {_LOCK}: {', '.join(differing[:5])}", where=_METADATA, mend=_MEND)
    return Lock(pins=pins, requires=requires, packages=packages)


def build_toolkit(
    listed: bytes, lock: Lock, *, root: Component, tools: tuple[SbomTool, ...], created: str, author: str
) -> Sbom:
    """The graph of what ``cyclonedx-py requirements`` lists, with what the metadata knows of each package.

    ToolError when a package of the lock is not in the list, or one is there that the lock does not have: an SBOM that
    shrank is none.
    """
    found = {_canonical(each.name): each for each in load_cyclonedx(listed, where="cyclonedx-py").components}
    seen = {name: each.version for name, each in found.items()}
    wrong = sorted(name for name in seen.keys() | lock.pins.keys() if seen.get(name) != lock.pins.get(name))
    if wrong:
        raise ToolError(
            f"não listou o lock como ele é: {', '.join(wrong[:5])}",
            where="cyclonedx-py",
            mend="reinstale cyclonedx-bom a partir do lock",
        )
    components = {name: _component(found[name], lock.packages[name]) for name in found}
    refs = {name: each.ref for name, each in components.items()}
    needs = {refs[name]: [refs[each] for each in lock.packages[name].requires if each in refs] for name in refs}
    return Sbom(
        root=root,
        components=tuple(sorted(components.values(), key=lambda each: each.ref)),
        dependencies=anchored(root.ref, [refs[name] for name in lock.requires if name in refs], needs),
        tools=tools,
        created=created,
        author=author,
        properties=(("appgear:source", _LOCK),),
    )


def _component(listed: Component, package: _Package) -> Component:
    licence = normalise((package.licence,))
    name = _canonical(listed.name)
    return replace(
        listed,
        ref=listed.purl,
        licence=licence,
        declared=clean(package.licence) if licence != package.licence else "",
        supplier=clean(package.supplier) or f"PyPI: {name}",
        distributions=tuple(
            replace(each, comment=_COMMENT, digests=tuple(sorted(each.digests))) for each in listed.distributions
        ),
    )


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
