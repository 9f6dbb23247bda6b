"""Changes that were found one by one, made to work one after another.

Every rule writes its operations against the module as it was read. Two that add ``/metadata/labels``, or that remove
two items of one list, would undo each other when applied in turn; the log rewrites the later one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.domain.finding import Operation, PatchChange
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from pipeline.domain.finding import Change

__all__ = ["OperationLog"]


# What was already written to one YAML document: by pointer, the action that wrote and a private copy of the value.
_Written = dict[str, tuple[str, Any]]


class OperationLog:
    """Remembers what earlier actions write, so that later ones add to it instead of replacing it."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, int], _Written] = {}
        self._others: set[Change] = set()

    def add(self, action: str, changes: list[Change]) -> tuple[tuple[Change, ...], set[str]]:
        """The changes as they must be applied after all that was added before, and the actions they build on.

        Changes of one YAML document become one; what an earlier change does already is left out.
        """
        needed: set[str] = set()
        patches: dict[tuple[str, int], list[Operation]] = {}
        others: list[Change] = []
        for change in changes:
            if isinstance(change, PatchChange):
                key = (change.path, change.document)
                written = self._documents.setdefault(key, {})
                for operation in change.operations:
                    _write(operation, action, written, patches.setdefault(key, []), needed)
            elif change not in self._others:
                self._others.add(change)
                others.append(change)
        merged = [
            PatchChange(path=path, document=document, operations=_removals_last(operations))
            for (path, document), operations in patches.items()
            if operations
        ]
        return (*merged, *others), needed - {action}


def _write(operation: Operation, action: str, written: _Written, operations: list[Operation], needed: set[str]) -> None:
    earlier = written.get(operation.path)
    if operation.op == "test":
        operations.append(operation)
    elif earlier is not None and operation.op == "add" and isinstance(operation.value, dict | list):
        if type(earlier[1]) is type(operation.value):
            _extend(operation, earlier, action, written, operations, needed)
    elif earlier is None:
        _remember(written, operation.path, action, operation.value)
        operations.append(operation)


def _extend(
    operation: Operation,
    earlier: tuple[str, Any],
    action: str,
    written: _Written,
    operations: list[Operation],
    needed: set[str],
) -> None:
    """Add the parts that the earlier value does not have."""
    needed.add(earlier[0])
    if isinstance(operation.value, list):
        for item in operation.value:
            if item not in earlier[1]:
                earlier[1].append(item)
                operations.append(Operation(op="add", path=f"{operation.path}/-", value=item))
        return
    for key, item in operation.value.items():
        pointer = operation.path + json_pointer((key,))
        _write(Operation(op="add", path=pointer, value=item), action, written, operations, needed)


def _remember(written: _Written, pointer: str, action: str, value: Any) -> None:
    """Note a value and everything inside it."""
    if pointer.endswith("/-"):
        return
    written[pointer] = (action, _copied(value))
    if isinstance(value, dict):
        for key, item in value.items():
            _remember(written, pointer + json_pointer((key,)), action, item)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value


def _removals_last(operations: list[Operation]) -> tuple[Operation, ...]:
    """Removals after everything else and the last list item first, so that no index moves under another operation."""
    kept = [operation for operation in operations if operation.op != "remove"]
    removed = [operation for operation in operations if operation.op == "remove"]
    return (*kept, *sorted(removed, key=_index_order, reverse=True))


def _index_order(operation: Operation) -> list[tuple[int, int, str]]:
    parts = operation.path.split("/")
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
