"""A deployment of the template on loopback: its functions under Lambda's runtime client, its APIs, queues and schedules."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis

from local_runtime.hosting.manifest import Function, Manifest
from local_runtime.hosting.queue.broker import connection_parameters
from local_runtime.hosting.queue.mapping import EventSourceMapping
from local_runtime.hosting.template import read_template
from local_runtime.hosting.template.tree import Node, Report, load_template
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from local_runtime.settings import DEFAULT_TEMPLATE
from tests.lambda_runtime.environment import ACCOUNT_ID, REGION
from tests.lambda_runtime.functions import Functions
from tests.lambda_runtime.http_api import HttpApi
from tests.lambda_runtime.packages import Packages
from tests.lambda_runtime.websocket_api import HeldConnections, WebSockets, accepting
from tests.support import aws
from tests.support.api import Api
from tests.support.keys import new_keys
from tests.support.loopback import serving
from tests.support.product import new_data_dir, query, remove_data_dir
from tests.support.secrets_manager import create_secret, secrets_manager

# Variables whose values only a deployment knows.
ATTRIBUTES = ("WEBSOCKET_MANAGEMENT_URL", "VIEWERS_URL", "METRICS_NAMESPACE")


@dataclass(frozen=True, slots=True)
class Stores:
    """The servers that the deployment is given as parameters; `ca_file` is the system's CA to its functions."""

    redis_url: str
    amqp_url: str
    database_url: str
    owner_database_url: str
    ca_file: str

    def environment(self) -> dict[str, str]:
        """The same as the variables of an instance that uses them."""
        return {
            "REDIS_URL": self.redis_url,
            "AMQP_URL": self.amqp_url,
            "AMQP_CA_FILE": self.ca_file,
            "DATABASE_URL": self.database_url,
            "MIGRATIONS_DATABASE_URL": self.owner_database_url,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What is deployed where; `parameters` are the template's own, beside the stores.

    A deployment beside another one prepares nothing and consumes no queue, or it would take the other one's messages.
    """

    packages: Packages
    stores: Stores
    template: Path = DEFAULT_TEMPLATE
    parameters: Mapping[str, str] = field(default_factory=dict)
    secret: Mapping[str, str] | None = None
    stores_are_in_use: bool = False


class Deployment:
    """Everything that is up, as a client and an operator meet it."""

    def __init__(self, plan: Plan, manifest: Manifest, functions: Functions, connections: HeldConnections) -> None:
        self.plan = plan
        self.manifest = manifest
        self.functions = functions
        self.connections = connections
        self.base_url = ""
        self.ws_url = ""

    @property
    def api(self) -> Api:
        """A client of both APIs."""
        return Api(self.base_url, ws_url=self.ws_url)

    def invoke(self, name: str, event: object = None) -> Any:
        """Invoke a function directly, as an operator does."""
        return self.functions.invoke(self.manifest.function(name), event)

    def run_schedules(self, name: str) -> list[Any]:
        """Deliver the input of every schedule of a function, now."""
        schedules = [schedule for schedule in self.manifest.schedules if schedule.function.name == name]
        assert schedules, f"{name} has no schedule"
        return [self.functions.invoke(schedule.function, schedule.input) for schedule in schedules]

    def redis(self) -> redis.Redis:
        """A client of its Redis."""
        return redis.Redis.from_url(self.plan.stores.redis_url, decode_responses=True)

    def query(self, sql: str, **parameters: object) -> list[Any]:
        """Run one statement on its PostgreSQL."""
        return query(self.plan.stores.owner_database_url, sql, **parameters)


@contextmanager
def private_stores() -> Iterator[Stores]:
    """Servers that nobody else uses."""
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    try:
        with (
            running(PrivateRedis(data_dir, secrets.token_hex(16))) as board,
            running(PrivateRabbitMQ(data_dir, secrets.token_hex(16))) as broker,
            running(PrivatePostgreSQL(data_dir, secrets.token_hex(16))) as database,
        ):
            yield Stores(board.url, broker.url, database.functions_url, database.url, str(broker.ca_file))
    finally:
        remove_data_dir(data_dir)


@contextmanager
def deployed(plan: Plan) -> Iterator[Deployment]:
    """Deploy, prepare the stores, consume the queues; everything ends with the block."""
    with ExitStack() as stack:
        connections = HeldConnections()
        management = stack.enter_context(aws.serving(connections))
        service = stack.enter_context(secrets_manager())
        secret = new_keys() if plan.secret is None else plan.secret
        manifest = _manifest(plan, create_secret(service, f"scoreboard-{secrets.token_hex(4)}", json.dumps(dict(secret))))
        assert manifest.websocket_api is not None
        variables: dict[str, dict[str, str]] = {}
        functions = Functions(plan.packages, variables)
        stack.callback(functions.close)
        sockets = WebSockets(manifest.websocket_api, functions.invoke, connections)
        attributes = {
            "WEBSOCKET_MANAGEMENT_URL": f"{management}/{manifest.websocket_api.stage}",
            "VIEWERS_URL": stack.enter_context(accepting(sockets)),
            "METRICS_NAMESPACE": "scoreboard/test",
        }
        platform = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": service, "SSL_CERT_FILE": plan.stores.ca_file}
        variables |= {name: {**platform, **own} for name, own in _variables(plan, manifest, attributes).items()}
        deployment = Deployment(replace(plan, secret=secret), manifest, functions, connections)
        for function in manifest.functions:
            if function.invoke_at_start and not plan.stores_are_in_use:
                functions.invoke(function, {})
        http_api = HttpApi(manifest.http_routes, functions.invoke)
        deployment.base_url = f"http://{stack.enter_context(serving(http_api.answer))}"
        deployment.ws_url = attributes["VIEWERS_URL"]
        for mapping in () if plan.stores_are_in_use else _mappings(manifest, functions, plan.stores):
            stack.enter_context(_consuming(mapping))
        yield deployment


@contextmanager
def beside(deployment: Deployment, **changes: object) -> Iterator[Deployment]:
    """Another deployment on the same stores that differs in what is given of its plan."""
    with deployed(replace(deployment.plan, stores_are_in_use=True, **changes)) as other:  # type: ignore[arg-type]
        yield other


def _manifest(plan: Plan, secret_arn: str) -> Manifest:
    parameters = {
        "RedisUrl": plan.stores.redis_url,
        "AmqpUrl": plan.stores.amqp_url,
        "DatabaseUrl": plan.stores.database_url,
        "MigrationsDatabaseUrl": plan.stores.owner_database_url,
        "MqBrokerArn": f"arn:aws:mq:{REGION}:{ACCOUNT_ID}:broker:scoreboard:b-1",
        "MqCredentialsArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:mq-AbCdEf",
        "ScoreboardSecretId": secret_arn,
        **plan.parameters,
    }
    return read_template(plan.template, parameters, ATTRIBUTES)


def _variables(plan: Plan, manifest: Manifest, attributes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Each function's own as the template gives them, also those whose values only a deployment knows."""
    tree = load_template(plan.template, Report())

    def given(node: Node) -> set[str]:
        return set(node.member("Environment").member("Variables").members)

    def known(function: Function) -> dict[str, str]:
        properties = tree.member("Resources").member(function.logical_id).member("Properties")
        names = given(tree.member("Globals").member("Function")) | given(properties)
        return {name: value for name, value in attributes.items() if name in names}

    return {function.name: {**function.environment, **known(function)} for function in manifest.functions}


def _mappings(manifest: Manifest, functions: Functions, stores: Stores) -> list[EventSourceMapping]:
    login = {"AMQP_URL": stores.amqp_url, "AMQP_CA_FILE": stores.ca_file}

    def invoke(function: Function) -> Callable[[dict[str, Any]], object]:
        return lambda event: functions.invoke(function, event)

    return [
        EventSourceMapping(binding, invoke(binding.function), lambda: connection_parameters(login, "/"))
        for binding in manifest.queue_bindings
    ]


@contextmanager
def _consuming(mapping: EventSourceMapping) -> Iterator[None]:
    thread = threading.Thread(target=mapping.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        mapping.stop()
        thread.join(60)
