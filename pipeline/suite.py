"""Results of the toolkit's own tests as evidence: read from what pytest writes, less what differs between two runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pipeline.codec import dump_json, load_json
from pipeline.domain.artifact import Evidence
from pipeline.errors import InputError
from pipeline.flow.answers import SuiteResults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.store import Store

__all__ = ["SUITE_FILES", "SuiteFiles", "read_suite", "suite_files"]

SUITE_FILES = ("junit.xml", "coverage.xml", "coverage.json")
# Times and machines: no part of the evidence, and different in each run.
_VARYING = ("time", "timestamp", "hostname")
_COUNTS = ("tests", "failures", "errors", "skipped")
_DOCTYPE = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteFiles:
    """Files to publish, by category."""

    tests: dict[str, bytes]
    coverage: dict[str, bytes]


def suite_files(given: Mapping[str, bytes]) -> SuiteFiles:
    """The results without times, host names and absolute paths. InputError where one is not what pytest writes."""
    coverage = load_json(given["coverage.json"], where="coverage.json")
    if not isinstance(coverage, dict) or "totals" not in coverage:
        raise InputError("não é um relatório de cobertura", where="coverage.json", mend="rode `nox -s tests`")
    coverage.pop("meta", None)
    cobertura = _parse(given["coverage.xml"], "coverage.xml")
    for source in cobertura.iter("source"):
        source.text = "."
    return SuiteFiles(
        tests={"junit.xml": _dump(_parse(given["junit.xml"], "junit.xml"))},
        coverage={"coverage.xml": _dump(cobertura), "coverage.json": dump_json(coverage)},
    )


def read_suite(store: Store, run: str) -> SuiteResults | None:
    """Recorded results of this version, hashed again; None where there are none."""
    if not store.has(run, "tests", "junit.xml") or not store.has(run, "coverage", "coverage.json"):
        return None
    suites = list(_parse(store.read(run, "tests", "junit.xml"), "junit.xml").iter("testsuite"))
    counts = {name: sum(int(suite.get(name, "0")) for suite in suites) for name in _COUNTS}
    totals = json.loads(store.read(run, "coverage", "coverage.json"))["totals"]
    failed = counts["failures"] + counts["errors"]
    return SuiteResults(
        passed=counts["tests"] - failed - counts["skipped"],
        failed=failed,
        skipped=counts["skipped"],
        coverage=float(totals["percent_covered"]),
        evidence=(
            Evidence(path=f"tests/{run}/junit.xml", sha256=store.digests(run, "tests")["junit.xml"]),
            Evidence(path=f"coverage/{run}/coverage.json", sha256=store.digests(run, "coverage")["coverage.json"]),
        ),
    )


def _parse(data: bytes, where: str) -> ET.Element:
    if _DOCTYPE.search(data):
        raise InputError("XML com DTD ou entidades", where=where, mend="rode `nox -s tests`")
    try:
        return ET.fromstring(data)  # noqa: S314  # no DTD, no entity: nothing to expand or fetch
    except ET.ParseError as error:
        raise InputError("não é XML", where=where, mend="rode `nox -s tests`") from error


def _dump(root: ET.Element) -> bytes:
    for element in root.iter():
        for name in _VARYING:
            element.attrib.pop(name, None)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
