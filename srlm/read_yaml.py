"""Strict parsing of YAML files: unique keys, bounded size, and one message for all errors.

PyYAML takes the last of two equal keys, raises Python's errors for impossible dates, long numbers and deep nesting, and
lets a few aliases expand to more than fits into memory.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from srlm.errors import DataError
from srlm.read_text import read_text

MOST_NODES = 20_000
"""Maximum number of values, with the repetitions of aliases."""
MOST_NESTED = 50
MOST_DIGITS = 400
SHOWN = 80
"""Maximum length of a value in a message, in characters."""


class NotYamlError(ValueError):
    """Refused text, with the line if it is known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


class _OnceEach(yaml.SafeLoader):
    """A safe loader that refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping with unique keys; `<<` may repeat keys, which is its purpose."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"the key {str(key)[:SHOWN]} is repeated", problem_mark=key_node.start_mark
                    )
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        DataError: it cannot be read, or is not YAML; the message has the line.
    """
    try:
        return parse_yaml(read_text(path))
    except NotYamlError as error:
        raise DataError(path, f"{error.problem}.", error.line) from None


def parse_yaml(text: str) -> Any:
    """Parse YAML text.

    Raises:
        NotYamlError: it is not YAML, or YAML that is refused.
    """
    loader: Any = None
    try:
        loader = _OnceEach(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_growth(node, {}, (), 0)
        return loader.construct_document(node)
    except NotYamlError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).split("\n")[0]
        raise NotYamlError(f"not YAML ({problem})", mark.line + 1 if mark else None) from None
    except RecursionError:
        raise NotYamlError(f"YAML that is nested more than {MOST_NESTED} deep") from None
    except Exception as error:  # an impossible date, a number of 5000 digits: any exception of Python
        raise NotYamlError(
            f"YAML with an impossible value, such as the date 2024-13-01 or a number of thousands of digits "
            f"({type(error).__name__}); put text between quotation marks"
        ) from None
    finally:
        if loader is not None:
            loader.dispose()


def shown(value: Any) -> str:
    """Format a value for a message, cut to a maximum length."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _refuse_growth(node: yaml.Node, sizes: dict[int, int], above: tuple[int, ...], depth: int) -> int:
    """Return the number of values of a node, with those of its aliases.

    Raises:
        NotYamlError: there are too many, they are nested too deep, or a number is too long.
    """
    if id(node) in above:
        raise NotYamlError("YAML in which a value contains itself", node.start_mark.line + 1)
    if id(node) in sizes:
        return sizes[id(node)]
    if depth > MOST_NESTED:
        raise NotYamlError(f"YAML that is nested more than {MOST_NESTED} deep", node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:int" and len(node.value) > MOST_DIGITS:
        raise NotYamlError(f"YAML with a number of more than {MOST_DIGITS} digits", node.start_mark.line + 1)
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        parts = [one for pair in node.value for one in pair]
    elif isinstance(node, yaml.SequenceNode):
        parts = list(node.value)
    size = 1 + sum(_refuse_growth(one, sizes, (*above, id(node)), depth + 1) for one in parts)
    if size > MOST_NODES:
        raise NotYamlError(
            f"YAML with more than {MOST_NODES:,} values, repeated ones counted", node.start_mark.line + 1
        )
    sizes[id(node)] = size
    return size
