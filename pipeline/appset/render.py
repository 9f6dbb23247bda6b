"""Renders the ApplicationSets and the AppProject from typed values, and reads them back to prove what they say."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.appset.blockyaml import dump_block, scalar_text
from pipeline.appset.manifest import build_project, build_set, project_path, set_path
from pipeline.appset.preview import preview
from pipeline.codec import visible
from pipeline.errors import InputError, IntegrityError
from pipeline.yamldoc import load_yaml, yaml_path

if TYPE_CHECKING:
    from pipeline.appset.model import Cluster, CoreValues

__all__ = ["Drift", "find_drift", "render_sets"]

_HEADER = "# Gerado a partir de applicationsets/core.yaml: não edite. Para refazer: python -m pipeline applicationset\n"

# What an expression of a template can raise besides the library's own errors.
_TEMPLATE_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """One generated file that is not what the values say; ``diff`` goes from what is there to what should be."""

    path: str
    kind: Literal["missing", "changed", "surplus"]
    diff: str = ""


def render_sets(values: CoreValues, *, template: str) -> dict[str, bytes]:
    """Every generated file by relative path, in a fixed order: one ApplicationSet per cluster, then the AppProject.

    ``template`` is the Jinja2 text with ``[[ ]]``, ``[% %]`` and ``[# #]``. Raises InputError where it does not render,
    IntegrityError where the result, read back, is not the model or does not generate its Applications.
    """
    render = _compile(template)
    files: dict[str, bytes] = {}
    for cluster in values.clusters:
        path = set_path(cluster)
        files[path] = render(values, cluster)
        _verify(files[path], build_set(values, cluster), path)
        _verify_applications(files[path], values, path)
    path = project_path(values)
    files[path] = _HEADER.encode() + dump_block(build_project(values)).encode()
    _verify(files[path], build_project(values), path)
    return files


def find_drift(expected: dict[str, bytes], actual: dict[str, bytes]) -> tuple[Drift, ...]:
    """What differs between the files rendered now and those on disk, sorted by path."""
    found: list[Drift] = []
    for path in sorted(expected.keys() | actual.keys()):
        if path not in actual:
            found.append(Drift(path=path, kind="missing"))
        elif path not in expected:
            found.append(Drift(path=path, kind="surplus"))
        elif expected[path] != actual[path]:
            found.append(Drift(path=path, kind="changed", diff=_unified(path, actual[path], expected[path])))
    return tuple(found)


def _unified(path: str, old: bytes, new: bytes) -> str:
    before, after = (data.decode("utf-8", "backslashreplace").splitlines() for data in (old, new))
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="")
    text = visible("\n".join(lines))
    return text or "as linhas são iguais: só os fins de linha mudam"


def _compile(template: str) -> Any:
    from jinja2 import StrictUndefined, TemplateError  # noqa: PLC0415  # costs start-up time
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        undefined=StrictUndefined,
        autoescape=False,  # YAML, not HTML: every value goes through the `scalar` filter
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["scalar"] = _scalar

    def render(values: CoreValues, cluster: Cluster) -> bytes:
        try:
            return compiled.render(values=values, cluster=cluster, set=build_set(values, cluster)).encode()
        except (TemplateError, *_TEMPLATE_FAULTS) as error:
            raise _template_error(error) from error

    try:
        compiled = environment.from_string(template)
    except TemplateError as error:
        raise _template_error(error) from error
    return render


def _scalar(value: Any) -> str:
    if not isinstance(value, (str, int)):
        raise TypeError("scalar espera texto, número ou booleano")
    return scalar_text(value)


def _template_error(error: Exception) -> InputError:
    line = getattr(error, "lineno", None)
    where = f"template do ApplicationSet:{line}" if line else "template do ApplicationSet"
    return InputError(f"o template não renderiza: {visible(str(error)).splitlines()[0]}", where=where)


def _verify(data: bytes, expected: dict[str, Any], path: str) -> None:
    file = load_yaml(data.decode())
    for problem in file.problems:
        raise IntegrityError(f"o resultado não é YAML: {problem.message}", where=f"{path}:{problem.line}")
    if len(file.documents) != 1:
        raise IntegrityError("o resultado não tem exatamente um documento", where=path, mend="corrija o template")
    difference = _difference(expected, file.documents[0].value, ())
    if difference is not None:
        raise IntegrityError(
            f"o resultado não corresponde aos valores em {yaml_path(difference) or 'todo o objeto'}",
            where=path,
            mend="corrija o template",
        )


def _difference(expected: Any, found: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    if type(expected) is not type(found):
        return path
    if isinstance(expected, dict):
        for key in expected:
            inner = _difference(expected[key], found[key], (*path, key)) if key in found else (*path, key)
            if inner is not None:
                return inner
        return next(((*path, key) for key in found if key not in expected), None)
    if isinstance(expected, list):
        if len(expected) != len(found):
            return path
        pairs = (
            _difference(one, other, (*path, i)) for i, (one, other) in enumerate(zip(expected, found, strict=True))
        )
        return next((inner for inner in pairs if inner is not None), None)
    return None if expected == found else path


def _verify_applications(data: bytes, values: CoreValues, path: str) -> None:
    """One element is one Application, with nothing left to expand."""
    applications = preview(data, where=path)
    names = [application.name for application in applications]
    if names != [app.name for app in values.apps] or any(application.leftovers for application in applications):
        raise IntegrityError("o resultado não gera uma Application por elemento", where=path, mend="corrija o template")
