"""A data directory as an older version would have left it, made from an archive of make_fixture."""

from __future__ import annotations

import base64
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pika

from local_runtime.instance.keyring import Keyring
from local_runtime.instance.servers import programs
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.run import running
from shared.core.amqp import url_parameters
from tests.directories.make_fixture import DUMP_FILE, LEFT_FILE, MESSAGES_FILE, SECRET_FILE


def make_directory(archive: Path, data_dir: Path) -> dict[str, Any]:
    """Fill the directory, which must not be there yet; answers what the older version acknowledged."""
    data_dir.mkdir(mode=0o711, parents=True)
    with tarfile.open(archive) as files:
        files.extractall(data_dir, filter="data")
    left: dict[str, Any] = json.loads((data_dir / LEFT_FILE).read_text())
    taken = json.loads((data_dir / MESSAGES_FILE).read_text())
    dump = (data_dir / DUMP_FILE).read_text()
    for name in (LEFT_FILE, MESSAGES_FILE, DUMP_FILE):
        (data_dir / name).unlink()
    (data_dir / SECRET_FILE).chmod(0o600)
    (data_dir / "redis").mkdir(mode=0o700)
    (data_dir / "appendonlydir").rename(data_dir / "redis" / "appendonlydir")
    keyring = Keyring.load_or_make(data_dir / SECRET_FILE)
    with running(PrivatePostgreSQL(data_dir, keyring.database_password)) as postgresql:
        _restore(postgresql.url, dump)
    with running(PrivateRabbitMQ(data_dir, keyring.amqp_password)) as broker:
        _publish(broker, taken)
    return left


def _restore(url: str, dump: str) -> None:
    psql = programs.POSTGRES.require().with_name("psql")
    subprocess.run(
        [psql, "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", url], input=dump, text=True, check=True, capture_output=True
    )


def _publish(broker: PrivateRabbitMQ, taken: dict[str, Any]) -> None:
    connection = pika.BlockingConnection(url_parameters(broker.url, str(broker.ca_file)))
    channel = connection.channel()
    channel.confirm_delivery()
    for name, arguments in taken["queues"].items():
        channel.queue_declare(name, durable=True, arguments=arguments)
    for message in taken["messages"]:
        properties = pika.BasicProperties(delivery_mode=2, headers=message["headers"], message_id=message["messageId"])
        channel.basic_publish("", message["queue"], base64.b64decode(message["body"]), properties, mandatory=True)
    connection.close()
