"""Reads YAML that becomes JSON: instants stay texts, and a name that stands twice is a mistake."""

from __future__ import annotations

from typing import Any

import yaml

_INSTANT = "tag:yaml.org,2002:timestamp"


def read_plain(text: str) -> Any:
    """What a text says; raises YAMLError."""
    return yaml.load(text, _PlainLoader)  # noqa: S506 - a safe one


class _PlainLoader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - as the library has it
        first: [(tag, expression) for tag, expression in resolvers if tag != _INSTANT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses what the library would let win: the second of two values of one name."""
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        for place, (name, _) in enumerate(node.value):
            if isinstance(name, yaml.ScalarNode) and name.value in names[:place] and name.value != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"`{name.value}` stands twice", name.start_mark)
        return super().construct_mapping(node, deep)
