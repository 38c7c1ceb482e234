"""The types of resources there may be, and what a resource of any type may carry."""

from __future__ import annotations

from dataclasses import dataclass

from local_runtime.hosting.template.fields import Fields, Reading
from local_runtime.hosting.template.intrinsics import Unresolved
from local_runtime.hosting.template.references import ReferenceCheck
from local_runtime.hosting.template.tree import Node

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"
HTTP_API = "AWS::Serverless::HttpApi"
WEBSOCKET_API = "AWS::Serverless::WebSocketApi"
HOSTED = (FUNCTION, LAYER, HTTP_API, WEBSOCKET_API)

_OPERATIONS = "watches or alarms; nothing here is hosted differently for it"
_NETWORK = "access and network rules of the account; here everything is one user's, on loopback"
_SERVERS = "a server of the cloud; here the instance's own, or the one its URL names, stands in"
_VIEWERS = "holds the viewers' connections in the cloud; here the WebSocket gateway does"
WITHOUT_EFFECT = {
    "AWS::AmazonMQ::Broker": _SERVERS,
    "AWS::AppSync::Api": _VIEWERS,
    "AWS::AppSync::ChannelNamespace": _VIEWERS,
    "AWS::CloudWatch::Alarm": _OPERATIONS,
    "AWS::CloudWatch::Dashboard": _OPERATIONS,
    "AWS::EC2::SecurityGroup": _NETWORK,
    "AWS::EC2::SecurityGroupEgress": _NETWORK,
    "AWS::EC2::SecurityGroupIngress": _NETWORK,
    "AWS::ElastiCache::ReplicationGroup": _SERVERS,
    "AWS::IAM::ManagedPolicy": _NETWORK,
    "AWS::IAM::Role": _NETWORK,
    "AWS::KMS::Alias": "keys at rest; the instance has keys of its own",
    "AWS::KMS::Key": "keys at rest; the instance has keys of its own",
    "AWS::Lambda::Permission": _NETWORK,
    "AWS::Logs::LogGroup": "where the cloud keeps logs; here they are files",
    "AWS::Logs::MetricFilter": _OPERATIONS,
    "AWS::RDS::DBCluster": _SERVERS,
    "AWS::RDS::DBInstance": _SERVERS,
    "AWS::SNS::Topic": _OPERATIONS,
    "AWS::SNS::TopicPolicy": _OPERATIONS,
    "AWS::SQS::Queue": "where undeliverable schedule events end in the cloud; here they are logged",
    "AWS::SSM::Parameter": "the instance is its own parameter store",
    "AWS::SecretsManager::Secret": "the instance is its own secrets manager",
}

_ATTRIBUTES = frozenset(("Type", "Properties", "Metadata", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy"))
_METADATA = frozenset(("BuildArchitecture", "BuildMethod", "BuildProperties", "ContextPath", "WorkingDirectory", "cfn-lint"))
# Deployment: how infra/deploy tries a new version out.
_METADATA_OF_FUNCTIONS = ("Deployment",)
_MARKS = (
    "InvokeAtStart",
    "InvokeOnScrape",
    "InvokeWhenQueueMissing",
    "InvokeForLeases",
    "ScheduleOnEveryInstance",
    "ServeOnEveryInstance",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that exists under the conditions of this reading."""

    logical_id: str
    kind: str
    properties: Node
    invoke_at_start: bool = False
    invoke_on_scrape: bool = False
    invoke_when_queue_missing: bool = False
    invoke_for_leases: bool = False
    schedule_on_every_instance: bool = False
    serve_on_every_instance: bool = False


def read_resources(reading: Reading, references: ReferenceCheck) -> list[Resource]:
    """Every resource to be hosted, in the template's order; what may not be there is reported."""
    return [r for name, node in reading.resources.items() if (r := _read(name, node, reading, references))]


def _read(name: str, node: Node, reading: Reading, references: ReferenceCheck) -> Resource | None:
    kind = node.member("Type").text
    if kind not in HOSTED and kind not in WITHOUT_EFFECT:
        known = ", ".join([*HOSTED, *sorted(WITHOUT_EFFECT)])
        reading.report.add(node, f"the resource type {kind!r} is not supported" if kind else "Type is missing", known)
        return None
    for attribute in node.members.keys() - _ATTRIBUTES:
        reading.report.add(node.members[attribute], "is not supported in a resource", ", ".join(sorted(_ATTRIBUTES)))
    marks = _metadata(node, reading, is_function=kind == FUNCTION)
    depends_on = node.members.get("DependsOn", Node([]))
    for target in depends_on.items or ([depends_on] if depends_on.value else []):
        references.resource(target)
    if not _exists(node, reading, references) or kind not in HOSTED:
        return None
    properties = node.members.get("Properties", Node({}, (*node.path, "Properties"), node.line))
    return Resource(name, kind, properties, *marks)


def _exists(node: Node, reading: Reading, references: ReferenceCheck) -> bool:
    condition = node.members.get("Condition")
    if condition is None:
        return True
    references.condition(condition)
    try:
        return reading.resolver.condition(condition.text)
    except Unresolved as error:
        if not reading.report.mentions(condition):
            reading.report.add(condition, f"cannot be worked out on this machine: {error}")
        return False


def _metadata(node: Node, reading: Reading, *, is_function: bool) -> tuple[bool, ...]:
    """Which _MARKS it has, in their order; none is the same as false for all."""
    metadata = node.members.get("Metadata")
    if metadata is None:
        return ()
    fields = Fields(metadata, reading, "resource's Metadata")
    fields.without_effect(_METADATA)
    local = fields.fields("LocalRuntime", "LocalRuntime entry") if is_function else None
    if is_function:
        fields.without_effect(_METADATA_OF_FUNCTIONS)
    fields.finish()
    if local is None:
        return ()
    marks = [local.only(name, ("true", "false"), "false") == "true" for name in _MARKS]
    local.finish()
    return tuple(marks)
