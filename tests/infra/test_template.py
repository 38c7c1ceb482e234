"""What the contract says must be in infra/template.yaml; what may not be in it, infra/checks/template finds."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from infra.checks.template.command import STORES
from local_runtime.hosting.manifest import Manifest
from local_runtime.hosting.template import read_template
from local_runtime.hosting.template.tree import Node, Report, load_template
from local_runtime.settings import DEFAULT_TEMPLATE, PROJECT_ROOT
from shared.core.config import Settings
from shared.stores.aws.http import TIMEOUT_SECONDS
from shared.viewers.api_gateway import BROADCAST_SECONDS, SWEEP_SECONDS
from shared.viewers.posted_replies import POST_SECONDS
from shared.viewers.posted_views_redis import BROADCAST_SECONDS as VIEWS_SECONDS
from shared.viewers.posts import CHUNK_SECONDS

PROVIDED = (
    "REDIS_URL",
    "AMQP_URL",
    "DATABASE_URL",
    "SCOREBOARD_SECRET_ID",
    "WEBSOCKET_MANAGEMENT_URL",
    "VIEWERS_URL",
    "METRICS_NAMESPACE",
)


@pytest.fixture(scope="module")
def tree() -> Node:
    """The template as it stands."""
    report = Report()
    tree = load_template(DEFAULT_TEMPLATE, report)
    assert report.problems == []
    return tree


@pytest.fixture(scope="module")
def functions(tree: Node) -> dict[str, Node]:
    """The properties of every function."""
    resources = tree.members["Resources"].members.items()
    return {
        name: node.members["Properties"] for name, node in resources if node.members["Type"].value == "AWS::Serverless::Function"
    }


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The template as it is hosted with nothing configured."""
    return read_template(DEFAULT_TEMPLATE, {}, PROVIDED)


def test_the_layer_is_the_package(tree: Node) -> None:
    layer = tree.members["Resources"].members["SharedLayer"].members["Properties"]
    assert (DEFAULT_TEMPLATE.parent / layer.members["ContentUri"].value).resolve() == PROJECT_ROOT / "shared"


def test_what_is_secret_is_not_echoed(tree: Node) -> None:
    for name in ("RedisUrl", "AmqpUrl", "DatabaseUrl"):
        assert tree.members["Parameters"].members[name].members["NoEcho"].value is True


def test_only_those_who_post_to_viewers_may_use_their_connections(functions: dict[str, Node]) -> None:
    allowed = {}
    for name, node in functions.items():
        for policy in node.members["Policies"].items if "Policies" in node.members else []:
            for statement in policy.members["Statement"].items if "Statement" in policy.members else []:
                if statement.member("Action").text == "execute-api:ManageConnections":
                    [(_, resource)] = statement.members["Resource"].members.items()
                    allowed[name] = resource.value.partition("${WebSocketApi}")[2]
    assert allowed == {
        "BroadcastScores": "/${WebSocketStage}/POST/@connections/*",
        "SweepViewers": "/${WebSocketStage}/DELETE/@connections/*",
        "WsMessage": "/${WebSocketStage}/POST/@connections/*",
    }


def test_a_broadcast_ends_before_its_function_does(manifest: Manifest) -> None:
    a_chunk = CHUNK_SECONDS + TIMEOUT_SECONDS
    for name, seconds in (
        ("broadcast_scores", BROADCAST_SECONDS + a_chunk + VIEWS_SECONDS + a_chunk),
        ("sweep_viewers", SWEEP_SECONDS + a_chunk),
        ("ws_message", 2 * (POST_SECONDS + TIMEOUT_SECONDS)),
    ):
        [function] = [each for each in manifest.functions if each.name == name]
        assert seconds < function.timeout_seconds


def test_an_http_function_ends_before_its_api_gives_up(manifest: Manifest) -> None:
    assert [route.key for route in manifest.http_routes if route.function.timeout_seconds > 30] == []


def test_the_websocket_api_has_all_three_routes(manifest: Manifest) -> None:
    api = manifest.websocket_api
    assert api is not None
    assert {route.route_key: route.function.name for route in api.routes} == {
        "$connect": "ws_connect",
        "$disconnect": "ws_disconnect",
        "$default": "ws_message",
    }
    assert all(route.function.timeout_seconds <= 29 for route in api.routes)


def test_queues_and_schedules_have_their_functions(manifest: Manifest) -> None:
    assert {binding.queue: binding.function.name for binding in manifest.queue_bindings} == {
        "score_history_queue": "record_scores",
        "score_updated_queue": "broadcast_scores",
        "leaderboard_rebuild_queue": "rebuild_leaderboard",
    }
    assert {(schedule.function.name, schedule.expression) for schedule in manifest.schedules} == {
        ("relay_outbox", "rate(1 minute)"),
        ("reconcile_scores", "cron(0 4 * * ? *)"),
        ("rebuild_leaderboard", "rate(1 minute)"),
        ("forget_windows", "rate(1 minute)"),
        ("forget_sessions", "rate(1 minute)"),
        ("record_refusals", "rate(1 minute)"),
        ("turn_seasons", "cron(* * * * ? *)"),
        ("sweep_viewers", "rate(1 minute)"),
        ("archive_ledger", "rate(10 minutes)"),
        ("seal_audit", "rate(1 minute)"),
        ("measure_stores", "rate(1 minute)"),
    }


@pytest.mark.parametrize(("count", "suffixes"), [("1", [""]), ("2", ["", ".2"]), ("4", ["", ".2", ".3", ".4"])])
def test_updates_come_through_as_many_queues_as_the_parameter_says(count: str, suffixes: list[str]) -> None:
    manifest = read_template(DEFAULT_TEMPLATE, {"HistoryQueues": count}, PROVIDED)
    bindings = [binding for binding in manifest.queue_bindings if binding.function.name == "record_scores"]
    assert [binding.queue for binding in bindings] == [f"score_history_queue{suffix}" for suffix in suffixes]
    assert {binding.batch_size for binding in bindings} == {500}
    assert manifest.environment["HISTORY_QUEUES"] == count
    consumers = [{binding.function.name for binding in bindings} for bindings in manifest.consumers]
    assert consumers == [
        {"record_scores", "rebuild_leaderboard", "broadcast_scores"},
        *[{"record_scores"}] * (len(suffixes) - 1),
    ]


def test_a_parameter_and_its_setting_have_the_same_default(manifest: Manifest) -> None:
    required = {item.name.upper(): "needed" for item in fields(Settings) if item.default is MISSING}
    given = {name: value for name, value in manifest.environment.items() if name not in PROVIDED}
    assert Settings.from_environment(required | given) == Settings.from_environment(required)


def test_the_stores_are_prepared_before_the_outbox_is_relayed(manifest: Manifest) -> None:
    at_start = [function.name for function in manifest.functions if function.invoke_at_start]
    assert at_start == ["prepare_stores", "relay_outbox"]


def test_what_exists_once_is_measured_when_metrics_are_read(manifest: Manifest) -> None:
    assert [function.name for function in manifest.functions if function.invoke_on_scrape] == ["measure_stores"]
    assert [function.name for function in manifest.functions if function.invoke_for_leases] == ["hold_leases"]


def test_the_guide_says_what_to_do_about_every_alarm(tree: Node) -> None:
    alarms = set()
    for template in (tree, load_template(STORES, Report())):
        resources = template.members["Resources"].members.items()
        alarms |= {name for name, node in resources if node.members["Type"].value == "AWS::CloudWatch::Alarm"}
    guide = (DEFAULT_TEMPLATE.parent / "README.md").read_text(encoding="utf-8").partition("## What to watch")[2]
    assert alarms
    assert [name for name in sorted(alarms) if name not in guide] == []
