"""Random YAML texts, written in as many styles as YAML has, and random operations on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.domain.finding import Operation

if TYPE_CHECKING:
    from random import Random

KEYS = ("name", "labels", "app.io/tier", "spec", "on", "8080", "é", "k v", "x-y", "~", "a/b", "data", "1.5")
TEXTS = (
    "core", "a b", "yes", "1", "1.0", "", "x: y", "# no", "it's", 'say "hi"', "línea", "- a", "*x", "2001-1-1", "0o7",
    "tail ", " lead", "one\ntwo\n", "one\n\n  two", "tab\tin", "a\n", "\n", "\u2028", "😀", "--flag=1", "{x}", "a,b",
    "12:30:45", "null", "~", "=", "<<", "1e3", ".inf", "0x1F", "100m", "10Gi", "http://h:80/p?q=1#f", "%x", "@x", "`x`",
    "---", "...", "!x", "&x", "|", ">", "trail:", "${VAR}", "\x07", "\ufeff", "very " * 30, "a\r\nb", "-", "?", ":",
)  # fmt: skip
SCALARS: tuple[Any, ...] = (None, True, False, 0, 1, -7, 10**12, 1.5, 1e20, *TEXTS)


def random_value(random: Random, depth: int = 3) -> Any:
    kind = random.randrange(5) if depth else 0
    if kind <= 1:
        return random.choice(SCALARS)
    if kind <= 3:
        return {random.choice(KEYS): random_value(random, depth - 1) for _ in range(random.randrange(4))}
    return [random_value(random, depth - 1) for _ in range(random.randrange(4))]


class Writer:
    """Writes a value as YAML with random styles; comments carry numbers so that they can be told apart."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.comments = 0
        self.dash = random.choice((0, 2, 4))
        self.step = random.choice((1, 2, 2, 4))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def comment(self, indent: int) -> list[str]:
        lines = []
        while self.chance(0.15):
            self.comments += 1
            lines.append(" " * self.random.choice((indent, indent, 0, indent + 2)) + f"# c{self.comments}.")
        while self.chance(0.1):
            lines.append(self.random.choice(("", "  ")))
        return lines

    def tail(self) -> str:
        if self.chance(0.15):
            self.comments += 1
            return f" # c{self.comments}."
        return "  " if self.chance(0.05) else ""

    def scalar(self, value: Any, *, flow: bool = False) -> str:
        if not isinstance(value, str):
            return self.random.choice(("null", "~")) if value is None else json.dumps(value).replace("e+", ".0e+")
        plain = value.replace(" ", "").isalpha() and value.isascii() and value == value.strip() and value not in (
            "yes", "null"
        )  # fmt: skip
        if plain and not flow and self.chance(0.7):
            return value
        if value.isprintable() and self.chance(0.5):
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value)

    def flow(self, value: Any) -> str:
        if isinstance(value, dict):
            inner = [f"{self.scalar(key, flow=True)}: {self.flow(item)}" for key, item in value.items()]
            return self.bracket("{", inner, "}")
        if isinstance(value, list):
            return self.bracket("[", [self.flow(item) for item in value], "]")
        return self.scalar(value, flow=True)

    def bracket(self, left: str, inner: list[str], right: str) -> str:
        comma = "," if inner and self.chance(0.2) else ""
        gap = " " if self.chance(0.3) else ""
        return left + gap + self.random.choice((", ", ",", " , ")).join(inner) + comma + gap + right

    def block(self, value: Any, indent: int) -> list[str]:
        lines: list[str] = []
        entries = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        for key, item in entries:
            lines += self.comment(indent)
            head = " " * indent + ("-" if key is None else self.scalar(key) + ":")
            lines += self.entry(head, item, indent, key is None)
        return lines

    def entry(self, head: str, item: Any, indent: int, listed: bool) -> list[str]:
        if isinstance(item, (dict, list)) and item and self.chance(0.8):
            if listed and self.chance(0.8):
                gap = self.random.choice((1, 1, 3))
                lines = self.block(item, indent + 1 + gap)
                if lines[0].lstrip().startswith("#") or not lines[0].strip():
                    return [head, *lines]
                return [head + " " * gap + lines[0].lstrip(), *lines[1:]]
            inner = indent + (self.dash if isinstance(item, list) and not listed else self.step)
            return [head + self.tail(), *self.block(item, inner)]
        if isinstance(item, (dict, list)) and item and self.chance(0.3):
            return self.tall(head, item, indent)
        if isinstance(item, (dict, list)):
            return [f"{head} {self.flow(item)}{self.tail()}"]
        if isinstance(item, str) and self.is_block(item) and self.chance(0.7):
            sign = "" if item.endswith("\n") else "-"
            sign = "+" if sign == "" and self.chance(0.2) else sign
            deep = " " * (indent + self.random.choice((1, 2, 4)))
            rows = item.rstrip("\n").split("\n")
            return [f"{head} |{sign}{self.tail()}", *(deep + row if row else "" for row in rows)]
        if item is None and self.chance(0.5):
            return [head + self.tail()]
        return [f"{head} {self.scalar(item)}{self.tail()}"]

    def tall(self, head: str, item: Any, indent: int) -> list[str]:
        """A flow collection over several lines."""
        entries = item.items() if isinstance(item, dict) else ((None, part) for part in item)
        lines = []
        for key, part in entries:
            name = "" if key is None else f"{self.scalar(key, flow=True)}: "
            lines.append(f"{' ' * (indent + 2)}{name}{self.flow(part)},{self.tail()}")
        left, right = "{}" if isinstance(item, dict) else "[]"
        return [f"{head} {left}", *lines, " " * (indent + 1) + right + self.tail()]

    @staticmethod
    def is_block(item: str) -> bool:
        lines = item.removesuffix("\n").split("\n")
        starts = bool(item.strip()) and item[0] not in " \n" and bool(lines[-1].strip())
        return starts and all(line.isprintable() for line in lines)


def random_text(random: Random) -> tuple[str, Any]:
    """A document's text and the value it was written from (which YAML need not read back: the caller asks)."""
    writer = Writer(random)
    value = random_value(random, 4)
    while not (isinstance(value, (dict, list)) and value):
        value = random_value(random, 4)
    lines = [*writer.comment(0), *writer.block(value, 0), *writer.comment(0)]
    end = random.choice(("\n", "\n", "\r\n"))
    text = end.join(lines) + random.choice((end, end, ""))
    return text, value


def pointers(value: Any, path: str = "") -> list[str]:
    found = [path]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        found += pointers(item, f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}")
    return found


def at(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        value = value[part.replace("~1", "/").replace("~0", "~")] if isinstance(value, dict) else value[int(part)]
    return value


def random_operation(random: Random, value: Any) -> Operation:
    """A valid operation on ``value``, never on the root itself."""
    places = pointers(value)
    new = random_value(random, 2)
    if random.randrange(3) == 0:
        holders = [place for place in places if isinstance(at(value, place), (dict, list))]
        holder = random.choice(holders)
        inside = at(value, holder)
        if isinstance(inside, dict):
            key = random.choice(KEYS).replace("~", "~0").replace("/", "~1")
            return Operation(op="add", path=f"{holder}/{key}", value=new)
        index = random.choice(("-", str(random.randint(0, len(inside)))))
        return Operation(op="add", path=f"{holder}/{index}", value=new)
    if len(places) == 1:
        return Operation(op="add", path="/x" if isinstance(value, dict) else "/-", value=new)
    place = random.choice(places[1:])
    if random.randrange(3) == 0:
        return Operation(op="remove", path=place)
    return Operation(op="replace", path=place, value=new)
