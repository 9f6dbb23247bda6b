# manifests and policies stand on one line each
"""Policies over arbitrary objects, and arbitrary text as a policy."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.audit.opa import PolicySet, evaluate_policies
from pipeline.audit.opa_engines import InProcessEngine, OpaEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

pytest.importorskip("regorus", reason="the extra [opa] is not installed")

LABELS = ("app.kubernetes.io/name", "appgear.io/tier", "appgear.io/tenant-id")
POLICY = {
    "labels.rego": f"""package labels

deny contains label if {{
  some label in {{"{LABELS[0]}", "{LABELS[1]}", "{LABELS[2]}"}}
  not input.metadata.labels[label]
}}
""",
    "reading.rego": """package reading

deny contains m if {
  some k, v in input
  m := sprintf("%s=%s", [k, type_name(v)])
}

warn contains k if {
  some k, v in input
  not startswith(v, "a")
}

deny_deep contains m if {
  walk(input, [path, value])
  is_string(value)
  m := concat("/", [sprintf("%v", [part]) | part := path[_]])
}
""",
}
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(["kind", "metadata", "a b", "é"]) | st.text(max_size=4), values, max_size=4)


@given(st.dictionaries(st.sampled_from(LABELS), scalars))
def test_a_label_is_missing_when_undefined_or_false(labels: dict[str, Any]) -> None:
    policies = PolicySet.from_texts({"labels.rego": POLICY["labels.rego"]})
    evaluation = evaluate_policies(policies, [{"metadata": {"labels": labels}}], InProcessEngine())
    missing = {name for name in LABELS if labels.get(name, False) is False}
    assert {found.message for found in evaluation.results[0]} == missing
    assert evaluation.problems == ()


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(documents, min_size=1, max_size=6))
def test_in_process_agrees_with_opa_on_any_object(objects: list[dict[str, Any]]) -> None:
    opa = shutil.which("opa")
    if opa is None:
        pytest.skip("opa is not on PATH")

    def run(argv: list[str], stdin: bytes, files: Mapping[str, bytes]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            done = subprocess.run(
                [opa, *argv[1:]], input=stdin, cwd=folder, capture_output=True, check=False, timeout=60
            )
        return done.stdout or done.stderr

    policies = PolicySet.from_texts(POLICY)
    expected = evaluate_policies(policies, objects, OpaEngine(run))
    found = evaluate_policies(policies, objects, InProcessEngine())
    assert found.results == expected.results
    assert {(one.path, one.objects) for one in found.problems} == {(one.path, one.objects) for one in expected.problems}


@given(st.text(alphabet=st.sampled_from('packgedny []{}()":=#\n`if contains METADATA%\\é'), max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    policies = PolicySet.from_texts({"p.rego": "package p\n" + text})
    assert all(module.package[0].startswith("p") for module in policies.modules)
    assert all(1 <= problem.line <= text.count("\n") + 2 and problem.message for problem in policies.problems)
