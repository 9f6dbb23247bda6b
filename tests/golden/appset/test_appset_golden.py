"""What Argo CD 3.5 itself answered, kept as data: both JSON files come from the oracle, not from this code.

``tests/integration/test_appset_oracle.py`` asks the oracle again wherever Go is at hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.goexec import Budget, execute, missing_key
from pipeline.appset.load import load_values
from pipeline.appset.preview import dump_applications, preview
from pipeline.appset.render import find_drift, render_sets
from pipeline.appset.yamlvalue import as_interface
from pipeline.errors import InputError, ToolError
from pipeline.yamldoc import load_yaml

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[2]
_TEMPLATES: dict[str, Any] = json.loads((_HERE / "templates.json").read_text(encoding="utf-8"))
_SETS: list[dict[str, Any]] = json.loads((_HERE / "sets.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", _TEMPLATES["cases"], ids=lambda case: case["template"][:40])
def test_template_gives_what_argo_cd_gave(case: dict[str, Any]) -> None:
    params = as_interface(_TEMPLATES["params"])
    missing = missing_key((f"missingkey={case['missingkey']}",))
    if "refused" in case:
        with pytest.raises(Refused):
            execute(case["template"], params, missing, Budget())
    elif "inexact" in case:
        with pytest.raises(Inexact) as caught:
            execute(case["template"], params, missing, Budget())
        assert str(caught.value) == case["inexact"]
    else:
        assert execute(case["template"], params, missing, Budget()) == case["text"]


@pytest.mark.parametrize("case", _SETS, ids=range(len(_SETS)))
def test_set_gives_the_applications_argo_cd_gave(case: dict[str, Any]) -> None:
    data = json.dumps(case["set"]).encode()
    if "refused" in case:
        with pytest.raises(InputError, match="recusaria"):
            preview(data, where="set.json")
    elif "inexact" in case:
        with pytest.raises(ToolError, match="exatidão") as caught:
            preview(data, where="set.json")
        assert case["inexact"] in str(caught.value)
    else:
        applications = preview(data, where="set.json")
        assert [application.manifest for application in applications] == case["applications"]
        read_back = load_yaml(dump_applications(applications).decode())
        assert [document.value for document in read_back.documents] == case["applications"]
        assert not read_back.problems


def test_generated_files_are_what_the_values_say() -> None:
    """The drift gate of this repository: run ``python -m pipeline applicationset`` when it fails."""
    folder = _ROOT / "applicationsets"
    values = load_values((folder / "core.yaml").read_bytes(), where="core.yaml")
    template = (folder / "templates" / "apps-core.yaml.j2").read_text(encoding="utf-8")
    kept = [*folder.glob("clusters/*/*"), *folder.glob("projects/*")]
    actual = {path.relative_to(_ROOT).as_posix(): path.read_bytes() for path in kept}
    assert find_drift(render_sets(values, template=template), actual) == ()


def test_preview_of_the_versioned_set() -> None:
    path = _ROOT / "applicationsets/clusters/ag-br-core-prd/apps-core.yaml"
    expected = (_HERE / "ag-br-core-prd.applications.yaml").read_bytes()
    assert dump_applications(preview(path.read_bytes(), where=path.name)) == expected
