"""Execution of text/template trees (package text/template, exec.go) over the element of a list generator.

Bounded: every node costs a step and the output has a size limit, so that a hostile template ends in an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.gofunctions import KNOWN, find_function, unsupported
from pipeline.appset.gonodes import (
    Action,
    Branch,
    Chain,
    Command,
    Field,
    Function,
    Jump,
    Literal,
    Nil,
    Node,
    Number,
    Operand,
    Pipe,
    Text,
    Variable,
)
from pipeline.appset.goparser import parse_template
from pipeline.appset.govalue import INVALID, Shuffled, StringMap, format_value, is_true, kind

if TYPE_CHECKING:
    from pipeline.appset.gosignature import GoFunction, GoType

__all__ = ["Budget", "MissingKey", "execute", "missing_key"]

_MAX_STEPS = 100_000
_MAX_OUTPUT = 1 << 20
_BYTES_PER_STEP = 64  # work inside functions is charged by the size of what they take and give
_NOTHING = object()  # no value comes from the left of a pipe

MissingKey = str
_OPTIONS = {"missingkey=default": "default", "missingkey=invalid": "default", "missingkey=zero": "zero"}


def missing_key(options: tuple[str, ...]) -> MissingKey:
    """``default``, ``zero`` or ``error`` from ``goTemplateOptions``: the last one wins."""
    chosen = "default"
    for option in options:
        if option != "missingkey=error" and option not in _OPTIONS:
            raise Refused(f"goTemplateOptions: opção {option!r} não existe")
        chosen = _OPTIONS.get(option, "error")
    return chosen


@dataclass(slots=True)
class Budget:
    """What a whole preview may still spend; each expansion has its own, smaller bounds as well."""

    steps: int = 5_000_000
    output: int = 32 << 20

    def charge(self, steps: int, output: int) -> None:
        """Take the cost of one expansion; Inexact when nothing is left."""
        self.steps -= steps
        self.output -= output
        if self.steps < 0 or self.output < 0:
            raise Inexact("o limite de trabalho de uma pré-visualização")


def execute(source: str, params: dict[str, Any], missing: MissingKey, budget: Budget) -> str:
    """``source`` as a Go template over ``params``. Raises Refused where Go fails, Inexact where Go cannot be known."""
    if "{{" not in source:
        return source
    nodes = parse_template(source, KNOWN)
    machine = _Machine(params, missing)
    try:
        machine.walk(nodes, params)
    except RecursionError as error:
        raise Inexact("valores aninhados demais") from error
    budget.charge(machine.steps, machine.size)
    return "".join(machine.out)


class _JumpSignal(Exception):  # noqa: N818  # control flow, not a failure
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(slots=True)
class _Binding:
    name: str
    value: Any


class _Machine:
    def __init__(self, params: dict[str, Any], missing: MissingKey) -> None:
        self.out: list[str] = []
        self._missing = missing
        self._variables = [_Binding("", params)]
        self.steps = 0
        self.size = 0

    def walk(self, nodes: tuple[Node, ...], dot: Any) -> None:
        for node in nodes:
            self._step()
            match node:
                case Text(text):
                    self._write(text)
                case Action(pipe):
                    value = self._pipeline(pipe, dot)
                    if not pipe.variables:
                        self._weigh(value)
                        self._write("<no value>" if value is INVALID else format_value(value))
                case Branch(keyword):
                    scope = len(self._variables)
                    self._range(node, dot) if keyword == "range" else self._if_with(node, dot)
                    del self._variables[scope:]
                case Jump(keyword):
                    raise _JumpSignal(keyword)

    def _step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > _MAX_STEPS:
            raise Inexact(f"mais de {_MAX_STEPS} passos de avaliação")

    def _weigh(self, *values: Any) -> None:
        """Charge the size of values, nested ones in full: a list can hold itself doubled many times over."""
        pending = list(values)
        while pending:
            value = pending.pop()
            if isinstance(value, str):
                self._step(len(value) // _BYTES_PER_STEP)
            elif isinstance(value, (list, dict)):
                self._step(1 + len(value) // _BYTES_PER_STEP)
                pending += value.values() if isinstance(value, dict) else value

    def _write(self, text: str) -> None:
        self.size += len(text)
        if self.size > _MAX_OUTPUT:
            raise Inexact(f"expansão maior que {_MAX_OUTPUT} caracteres")
        self.out.append(text)

    def _if_with(self, node: Branch, dot: Any) -> None:
        value = self._pipeline(node.pipe, dot)
        if is_true(value):
            self.walk(node.body, value if node.kind == "with" else dot)
        else:
            self.walk(node.otherwise, dot)

    def _range(self, node: Branch, dot: Any) -> None:
        value = self._pipeline(node.pipe, dot)
        pairs = self._pairs(value, node.pipe)
        scope = len(self._variables)
        for index, element in pairs:
            self._step()
            self._bind(node.pipe, index, element)
            try:
                self.walk(node.body, element)
            except _JumpSignal as signal:
                if signal.kind == "break":
                    break
            finally:
                del self._variables[scope:]
        if not pairs:
            self.walk(node.otherwise, dot)

    @staticmethod
    def _pairs(value: Any, pipe: Pipe) -> list[tuple[Any, Any]]:
        if value is INVALID:
            return []
        if isinstance(value, Shuffled) and len(value) > 1:
            format_value(value)
        if isinstance(value, list):
            return list(enumerate(value))
        if isinstance(value, dict):
            return sorted(value.items())
        if isinstance(value, int) and not isinstance(value, bool):
            if len(pipe.variables) > 1:
                raise Refused("range sobre um inteiro aceita uma só variável")
            if value > _MAX_STEPS:
                raise Inexact(f"mais de {_MAX_STEPS} passos de avaliação")
            return [(INVALID, type(value)(number)) for number in range(value)]
        raise Refused(f"range não percorre um valor {kind(value)}")

    def _bind(self, pipe: Pipe, index: Any, element: Any) -> None:
        """Loop variables: the last holds the element, the one before it the index."""
        if not pipe.variables:
            return
        values = (index, element) if len(pipe.variables) > 1 else (element,)
        for offset, (name, value) in enumerate(zip(pipe.variables, values, strict=True)):
            if pipe.assigns:
                self._assign(name, value)
            else:
                self._variables[len(self._variables) - len(values) + offset].value = value

    def _assign(self, name: str, value: Any) -> None:
        for binding in reversed(self._variables):
            if binding.name == name:
                binding.value = value
                return
        raise Refused(f"variável ${name} não definida")

    def _lookup(self, name: str) -> Any:
        for binding in reversed(self._variables):
            if binding.name == name:
                return binding.value
        raise Refused(f"variável ${name} não definida")

    def _pipeline(self, pipe: Pipe, dot: Any) -> Any:
        value: Any = _NOTHING
        for command in pipe.commands:
            value = self._command(command, dot, value)
            if value is None:  # an interface that holds nothing unwraps to no value at all
                value = INVALID
        for name in pipe.variables:
            if pipe.assigns:
                self._assign(name, value)
            else:
                self._variables.append(_Binding(name, value))
        return value

    def _command(self, command: Command, dot: Any, final: Any) -> Any:
        self._step()
        first, arguments = command.args[0], command.args[1:]
        if isinstance(first, Function):
            return self._call(first.name, arguments, dot, final)
        if arguments or final is not _NOTHING:
            raise Refused("um valor que não é função recebeu argumentos")
        if isinstance(first, Nil):
            raise Refused("nil não é um comando")
        return self._operand(first, dot)

    def _operand(self, node: Operand, dot: Any) -> Any:
        match node:
            case Field(names):
                return self._fields(dot, names)
            case Variable(name, names):
                return self._fields(self._lookup(name), names)
            case Chain(inner, names):
                if isinstance(inner, Nil):
                    raise Refused("acesso a campo de nil")
                return self._fields(self._operand(inner, dot), names)
            case Pipe():
                return self._pipeline(node, dot)
            case Function(name):
                return self._call(name, (), dot, _NOTHING)
            case Number():
                return node.ideal
            case Literal(value):
                return value
            case _:
                return None

    def _fields(self, value: Any, names: tuple[str, ...]) -> Any:
        for name in names:
            value = self._field(value, name)
        return value

    def _field(self, receiver: Any, name: str) -> Any:
        if receiver is INVALID:
            if self._missing == "error":
                raise Refused(f"não há entrada para a chave {name!r}")
            return INVALID
        if receiver is None:
            raise Refused(f"o campo {name!r} é lido de um valor nulo")
        if not isinstance(receiver, dict):
            raise Refused(f"não há campo {name!r} em um valor {kind(receiver)}")
        if name in receiver:
            return receiver[name]
        if self._missing == "error":
            raise Refused(f"não há entrada para a chave {name!r}")
        if self._missing == "default":
            return INVALID
        return "" if isinstance(receiver, StringMap) else None

    def _call(self, name: str, arguments: tuple[Operand, ...], dot: Any, final: Any) -> Any:
        if name in ("and", "or"):
            return self._short_circuit(name, arguments, dot, final)
        function = find_function(name)
        if function is None:
            raise unsupported(name)
        count = len(arguments) + (final is not _NOTHING)
        function.check_count(name, count)
        values = [self._argument(function.parameter(i), node, dot) for i, node in enumerate(arguments)]
        if final is not _NOTHING:
            values.append(function.parameter(count - 1).check(final))
        self._weigh(*values)
        result = self._result(function, values)
        self._weigh(result)
        return result

    @staticmethod
    def _result(function: GoFunction, values: list[Any]) -> Any:
        for value in values:
            if isinstance(value, Shuffled) and len(value) > 1 and not function.orderless:
                format_value(value)
        return function.run(*values)

    def _short_circuit(self, name: str, arguments: tuple[Operand, ...], dot: Any, final: Any) -> Any:
        if not arguments and final is _NOTHING:
            raise Refused(f"faltam argumentos para {name}")
        value: Any = INVALID
        for node in arguments:
            value = INVALID if isinstance(node, Nil) else self._operand(node, dot)
            if is_true(value) == (name == "or"):
                return value
        return value if final is _NOTHING else final

    def _argument(self, parameter: GoType, node: Operand, dot: Any) -> Any:
        if isinstance(node, Nil):
            return parameter.nil()
        if isinstance(node, Literal | Number):
            return parameter.constant(node)
        return parameter.check(self._operand(node, dot))
