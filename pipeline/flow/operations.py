"""RFC 6902 on JSON values: what an operation gives, and the smallest operations that give the same."""

from __future__ import annotations

import copy
import re
from typing import Any

from pipeline.domain.finding import Operation, Param
from pipeline.flow.splices import Refusal

__all__ = ["patched", "pointer_parts", "refuse_params", "same_value", "steps_of"]

_STEPS = 64  # a replacement that takes more single edits than this is written anew as a whole


def same_value(one: object, other: object) -> bool:
    """Equality of JSON values that tells 1 from true, 1.0 and "1"; the order of keys does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and (one == other or (one != one and other != other))


def refuse_params(value: object) -> None:
    if isinstance(value, Param):
        raise Refusal(f"parâmetro {value.name} sem valor")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, (list, tuple)):
        for item in value:
            refuse_params(item)


def steps_of(current: Any, operation: Operation) -> list[Operation]:
    """The operation as single edits: nothing where the value is there already, only what differs in a replacement."""
    parts = pointer_parts(operation.path)
    found, old = _lookup(current, parts)
    if operation.op == "test":
        if not found or not same_value(old, operation.value):
            raise Refusal(f"o teste de {operation.path} falhou: o valor atual é outro")
        return []
    holder = _lookup(current, parts[:-1])[1] if parts else None
    if operation.op == "remove" or not found or (operation.op == "add" and isinstance(holder, list)):
        patched(current, operation)  # an operation that cannot be is refused here, with its own reason
        return [operation]
    if same_value(old, operation.value):
        return []
    steps = _difference(operation.path, old, operation.value)
    return steps if len(steps) <= _STEPS else [Operation(op="replace", path=operation.path, value=operation.value)]


def _difference(path: str, old: Any, new: Any) -> list[Operation]:
    if same_value(old, new):
        return []
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() & new.keys():
        steps = [step for key in old if key in new for step in _difference(_join(path, key), old[key], new[key])]
        steps += [Operation(op="remove", path=_join(path, key)) for key in old if key not in new]
        return steps + [Operation(op="add", path=_join(path, key), value=new[key]) for key in new if key not in old]
    if isinstance(old, list) and isinstance(new, (list, tuple)) and old and new:
        return _list_difference(path, old, list(new))
    return [Operation(op="replace", path=path, value=new)]


def _list_difference(path: str, old: list[Any], new: list[Any]) -> list[Operation]:
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and same_value(old[head], new[head]):
        head += 1
    tail = 0
    while tail < shorter - head and same_value(old[-1 - tail], new[-1 - tail]):
        tail += 1
    if not head and not tail and len(old) != len(new):
        return [Operation(op="replace", path=path, value=new)]
    last_old, last_new = len(old) - tail, len(new) - tail
    both = range(head, min(last_old, last_new))
    steps = [step for index in both for step in _difference(_join(path, index), old[index], new[index])]
    steps += [Operation(op="remove", path=_join(path, index)) for index in range(last_old - 1, last_new - 1, -1)]
    added = range(last_old, last_new)
    return steps + [Operation(op="add", path=_join(path, index), value=new[index]) for index in added]


def patched(value: Any, operation: Operation) -> Any:
    """What jsonpatch makes of ``value``, which stays as it is."""
    import jsonpatch  # noqa: PLC0415 - costs start-up time that commands without a rewrite need not pay

    step = {"op": operation.op, "path": operation.path, "value": copy.deepcopy(operation.value)}
    try:
        return jsonpatch.apply_patch(value, [step])
    except Exception as error:  # jsonpatch lets TypeError, KeyError and others of its innards out
        raise Refusal(f"o caminho {operation.path} não existe ou não aceita esta operação") from error


def _lookup(value: Any, parts: list[str]) -> tuple[bool, Any]:
    for part in parts:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,8}", part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value


def pointer_parts(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise Refusal(f"caminho que não é um ponteiro JSON: {path}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _join(path: str, part: str | int) -> str:
    return f"{path}/{str(part).replace('~', '~0').replace('/', '~1')}"
