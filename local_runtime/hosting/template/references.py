"""Checks every intrinsic function of the template, wherever it stands: known, of the right form, of what is declared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from local_runtime.hosting.template.intrinsics import FUNCTIONS, PSEUDO_PARAMETERS, SUB_VARIABLE
from local_runtime.hosting.template.tree import Node, Report

# `!Ref Function.Alias` is the alias that AutoPublishAlias makes.
ALIAS = ".Alias"
_CONDITION_FUNCTIONS = ("Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or")


class ReferenceCheck:
    """Walks a part of the template and reports what it finds."""

    def __init__(
        self, parameters: Collection[str], resources: Mapping[str, Node], conditions: Collection[str], report: Report
    ) -> None:
        self._parameters = frozenset(parameters)
        self._resources = frozenset(resources) | frozenset(_generated(resources))
        self._conditions = frozenset(conditions)
        self._report = report
        self._checks: dict[str, Callable[[Node], None]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": lambda argument: self._pair(argument, "Fn::Select", "an index and a list"),
            "Fn::Split": lambda argument: self._pair(argument, "Fn::Split", "a separator and a text"),
            "Fn::If": self._if,
        }

    def walk(self, node: Node) -> None:
        """Check a node and everything below it."""
        call = node.intrinsic()
        if call:
            name, argument = call
            self._call(name, argument, node)
        elif any(name.startswith("Fn::") for name in node.members):
            self._report.add(node, "mixes an intrinsic function with other members")
        for child in [*node.members.values(), *node.items]:
            self.walk(child)

    def walk_condition(self, node: Node) -> None:
        """Check one entry of the Conditions section."""
        if list(node.members) == ["Condition"]:
            self.condition(node.members["Condition"])
            return
        name, argument = node.intrinsic() or ("", node)
        wanted = {"Fn::Equals": (2, 2), "Fn::Not": (1, 1), "Fn::And": (2, 10), "Fn::Or": (2, 10)}
        if name not in wanted:
            self._report.add(node, "is not a condition", ", ".join([*_CONDITION_FUNCTIONS, "Condition"]))
            return
        low, high = wanted[name]
        if not low <= len(argument.items) <= high:
            self._report.add(node, f"{name} takes a list of {low}{'' if low == high else f' to {high}'}")
        for item in argument.items:
            self.walk(item) if name == "Fn::Equals" else self.walk_condition(item)

    def condition(self, node: Node) -> None:
        """Check the name of a condition."""
        if node.text not in self._conditions:
            self._report.add(node, f"there is no condition {node.text!r}", _listed(self._conditions))

    def resource(self, node: Node) -> None:
        """Check the logical id of a resource."""
        if node.text not in self._resources:
            self._report.add(node, f"there is no resource {node.text!r}")

    def _call(self, name: str, argument: Node, node: Node) -> None:
        if name in _CONDITION_FUNCTIONS:
            self._report.add(node, f"{name} stands only in the section Conditions", "Fn::If with the name of a condition")
        elif name in self._checks:
            self._checks[name](argument)
        else:
            self._report.add(node, f"the intrinsic function {name} is not supported", ", ".join(FUNCTIONS))

    def _ref(self, argument: Node) -> None:
        self._name(argument, argument.text)

    def _name(self, node: Node, name: str) -> None:
        if name not in self._parameters and name not in self._resources and name not in PSEUDO_PARAMETERS:
            self._report.add(node, f"refers to {name!r}, which is neither a parameter nor a resource")

    def _get_att(self, argument: Node) -> None:
        parts = argument.value.split(".", 1) if isinstance(argument.value, str) else [item.text for item in argument.items]
        if len(parts) != 2 or not all(parts):
            self._report.add(argument, "Fn::GetAtt takes a resource and an attribute")
        elif parts[0] not in self._resources:
            self._report.add(argument, f"refers to {parts[0]!r}, which is no resource")

    def _sub(self, argument: Node) -> None:
        template, own = argument, frozenset[str]()
        if len(argument.items) == 2:
            template, own = argument.items[0], frozenset(argument.items[1].members)
        if not isinstance(template.value, str):
            self._report.add(argument, "Fn::Sub takes a text, or a list of a text and a mapping of variables")
            return
        for match in SUB_VARIABLE.finditer(template.value):
            name, dot, _ = match[1].strip().partition(".")
            if dot and name not in self._resources:
                self._report.add(argument, f"refers to {name!r}, which is no resource")
            elif not dot and name not in own:
                self._name(argument, name)

    def _join(self, argument: Node) -> None:
        parts = argument.items
        is_list = len(parts) == 2 and (isinstance(parts[1].value, list) or parts[1].intrinsic())
        if not is_list or not isinstance(parts[0].value, str):
            self._report.add(argument, "Fn::Join takes a list of a separator and a list")

    def _pair(self, argument: Node, name: str, form: str) -> None:
        if len(argument.items) != 2 or not argument.items[0].text:
            self._report.add(argument, f"{name} takes {form}")

    def _if(self, argument: Node) -> None:
        if len(argument.items) != 3:
            self._report.add(argument, "Fn::If takes a condition's name and two values")
        else:
            self.condition(argument.items[0])


def _generated(resources: Mapping[str, Node]) -> list[str]:
    """The resources that SAM makes beside a function; the alias by the name SAM gives it."""
    functions = [name for name, node in resources.items() if node.member("Type").text == "AWS::Serverless::Function"]
    return [f"{name}{suffix}" for name in functions for suffix in ("Role", ALIAS)]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none is declared"
