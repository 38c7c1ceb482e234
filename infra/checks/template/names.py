"""Names in the template that mean something elsewhere: settings, queues, metrics, parameters."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from infra.checks.template.stack import Stack
from infra.package.target import GLIBC_MINOR
from infra.sam import Sam
from shared.core.config import Settings
from shared.core.metrics import registry
from shared.ledger.queues import MAX_HISTORY_QUEUES, QUEUES, history_queues

DECLARED = {*QUEUES, *history_queues(MAX_HISTORY_QUEUES)}


def variables_are_settings(stack: Stack, sam: Sam) -> Iterator[str]:
    """A variable that no setting reads is misspelt."""
    known = {item.name.upper() for item in dataclasses.fields(Settings)}
    used = {name for function in stack.functions.values() for name in function.get("Environment", {}).get("Variables", {})}
    yield from (f"{name}: is set for functions, but is no setting of shared/core/config.py" for name in sorted(used - known))


def queues_are_declared(stack: Stack, sam: Sam) -> Iterator[str]:
    """What is consumed is what prepare_stores declares."""
    for name, mapping in stack.resources("AWS::Lambda::EventSourceMapping").items():
        yield from (f"{name}: nobody declares the queue {queue}" for queue in mapping.get("Queues", []) if queue not in DECLARED)


def own_metrics_are_counted(stack: Stack, sam: Sam) -> Iterator[str]:
    """An alarm on the product's own metric names one that the layer writes, and a combination of labels that it has."""
    for name, metric in _watched(stack):
        if str(metric["Namespace"]).startswith("AWS/"):
            continue
        given = {dimension["Name"]: str(dimension["Value"]) for dimension in metric.get("Dimensions", [])}
        family = next((each for each in registry.read() if each.name == metric["MetricName"]), None)
        if family is None:
            yield f"{name}: nothing makes the metric {metric['MetricName']}"
        elif set(given) != set(family.labels):
            yield f"{name}: {family.name} has the dimensions {list(family.labels)}"
        elif family.values and tuple(given[label] for label in family.labels) not in family.values:
            yield f"{name}: {family.name} is never {given}"


def alarms_tell_somebody(stack: Stack, sam: Sam) -> Iterator[str]:
    """Every alarm has actions, and says what it makes of silence."""
    for name, alarm in stack.resources("AWS::CloudWatch::Alarm").items():
        missing = {"AlarmActions", "OKActions", "TreatMissingData", "AlarmDescription"} - set(alarm)
        if missing:
            yield f"{name}: has no {', '.join(sorted(missing))}"


def background_functions_are_watched(stack: Stack, sam: Sam) -> Iterator[str]:
    """Nobody waits for what a queue or a schedule starts, so an alarm must."""
    started = {
        stack.function_behind(each.get("FunctionName")) for each in stack.resources("AWS::Lambda::EventSourceMapping").values()
    }
    started |= {stack.function_behind(each["Target"]["Arn"]) for each in stack.resources("AWS::Scheduler::Schedule").values()}
    watched = {str(metric.get("Dimensions")) for _, metric in _watched(stack) if metric["MetricName"] == "Errors"}
    for name in sorted(name for name in started if name):
        if not any(f"'{name}'" in dimensions for dimensions in watched):
            yield f"{name}: runs in the background, and no alarm watches its errors"


def parameters_are_used_and_described(stack: Stack, sam: Sam) -> Iterator[str]:
    """A parameter that nothing refers to does not do what its description promises."""
    document = str({**stack.document, "Parameters": None})
    for name, parameter in stack.document["Parameters"].items():
        if not re.search(rf"'{name}'|\$\{{{name}\}}", document):
            yield f"{name}: nothing refers to this parameter"
        if not parameter.get("Description"):
            yield f"{name}: has no Description"


def functions_run_where_the_artefacts_do(stack: Stack, sam: Sam) -> Iterator[str]:
    """One runtime and one architecture, those that packaging builds for."""
    yield from (f"the runtime {runtime}: packaging does not know it" for runtime in sam.runtimes if runtime not in GLIBC_MINOR)
    (layer,) = stack.resources("AWS::Lambda::LayerVersion").values()
    for name, function in stack.functions.items():
        if [function.get("Runtime")] != layer.get("CompatibleRuntimes"):
            yield f"{name}: its Runtime is {function.get('Runtime')}, and the layer's {layer.get('CompatibleRuntimes')}"
        if function.get("Architectures") != layer.get("CompatibleArchitectures"):
            yield f"{name}: runs on {function.get('Architectures')}, and the layer on {layer.get('CompatibleArchitectures')}"
        if "LogGroup" not in function.get("LoggingConfig", {}):
            yield f"{name}: logs to a group that nobody gave a retention"


def directories_are_deployed(stack: Stack, sam: Sam) -> Iterator[str]:
    """A directory of functions that the template does not name is deployed nowhere."""
    there = {path.parent.name for path in _functions_directory(sam).glob("*/handler.py")}
    yield from (
        f"functions/{name}: is no function of the template" for name in sorted(there - {each.name for each in sam.functions})
    )


def _functions_directory(sam: Sam) -> Path:
    return sam.functions[0].directory.parent


def _watched(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, alarm in stack.resources("AWS::CloudWatch::Alarm").items():
        if "MetricName" in alarm:
            yield name, alarm
        for query in alarm.get("Metrics", []):
            if "MetricStat" in query:
                yield name, query["MetricStat"]["Metric"]


RULES: tuple[Callable[[Stack, Sam], Iterator[str]], ...] = (
    variables_are_settings,
    queues_are_declared,
    own_metrics_are_counted,
    alarms_tell_somebody,
    background_functions_are_watched,
    parameters_are_used_and_described,
    functions_run_where_the_artefacts_do,
    directories_are_deployed,
)
