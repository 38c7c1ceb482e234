"""The consumer process itself: readiness, a clean end, and a sudden one."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_runtime.hosting.queue.broker import connection_parameters
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from tests.support.product import ROOT, clean_environment
from tests.support.queues import patient_connection
from tests.support.waiting import eventually

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  WriteDown:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: handler.lambda_handler
      CodeUri: write_down/
      Timeout: 8
      Events:
        Queue:
          Type: MQ
          Properties:
            Broker: arn:aws:mq:eu-west-1:123456789012:broker:b:b-1
            Queues: [{queue}]
            BatchSize: 5
            MaximumBatchingWindowInSeconds: 0
            SourceAccessConfigurations:
              - Type: BASIC_AUTH
                URI: arn:aws:secretsmanager:eu-west-1:123456789012:secret:s
"""
HANDLER = """
import base64, os, time

def lambda_handler(event, context):
    with open(os.environ["NOTES"], "a") as notes:
        for messages in event["rmqMessagesByQueue"].values():
            for message in messages:
                body = base64.b64decode(message["data"]).decode()
                if body == "hang" and not message["redelivered"]:
                    notes.write("hanging\\\\n")
                    notes.flush()
                    time.sleep(60)
                if body == "slow":
                    notes.write("beginning\\\\n")
                    notes.flush()
                    time.sleep(1.5)
                notes.write(body + "\\\\n")
""".replace("\\\\n", "\\n")


class Consumer:
    """The process with a template of one function that writes down what it gets."""

    def __init__(self, directory: Path, environment: dict[str, str], queue: str) -> None:
        (directory / "write_down").mkdir()
        (directory / "write_down" / "handler.py").write_text(HANDLER)
        (directory / "template.yaml").write_text(TEMPLATE.format(queue=queue))
        self.notes = directory / "notes"
        self.ready = directory / "data" / "run" / "consumer.ready"
        self._environment = {
            **clean_environment(),
            **environment,
            "SCOREBOARD_TEMPLATE": str(directory / "template.yaml"),
            "SCOREBOARD_DATA_DIR": str(directory / "data"),
            "NOTES": str(self.notes),
        }
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local_runtime.processes.consumer"], cwd=ROOT, env=self._environment
        )
        eventually(lambda: self.ready.exists() and self.ready.read_text().strip() == str(self.process.pid), 60, "readiness")
        return self.process

    def noted(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def end(self, signal_number: signal.Signals) -> int:
        os.kill(self.process.pid, signal_number)
        return self.process.wait(60)


@pytest.fixture
def environment(private_rabbitmq: PrivateRabbitMQ) -> dict[str, str]:
    return {"AMQP_URL": private_rabbitmq.url, "AMQP_CA_FILE": str(private_rabbitmq.ca_file)}


@pytest.fixture
def channel(environment: dict[str, str]) -> Iterator[Any]:
    connection = patient_connection(connection_parameters(environment, "/"))
    yield connection.channel()
    connection.close()


@pytest.fixture
def consumer(tmp_path: Path, environment: dict[str, str], channel: Any) -> Iterator[tuple[Consumer, str]]:
    queue = f"consumer-{secrets.token_hex(6)}"
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    process = Consumer(tmp_path, environment, queue)
    yield process, queue
    if process.process.poll() is None:
        process.end(signal.SIGKILL)
    channel.queue_delete(queue)


def test_it_consumes_and_ends_cleanly(consumer: tuple[Consumer, str], channel: Any) -> None:
    process, queue = consumer
    channel.basic_publish("", queue, b"one")
    eventually(lambda: process.noted() == ["one"], 60, "the message")
    assert process.end(signal.SIGTERM) == 0
    assert channel.queue_declare(queue, passive=True).method.message_count == 0


def test_it_settles_the_batch_in_hand_before_it_ends(consumer: tuple[Consumer, str], channel: Any) -> None:
    process, queue = consumer
    channel.basic_publish("", queue, b"slow")
    eventually(lambda: process.noted() == ["beginning"], 60, "the batch under way")
    assert process.end(signal.SIGTERM) == 0
    assert process.noted() == ["beginning", "slow"]
    assert channel.queue_declare(queue, passive=True).method.message_count == 0


def test_a_second_signal_ends_it_at_once_and_the_batch_comes_back(consumer: tuple[Consumer, str], channel: Any) -> None:
    process, queue = consumer
    channel.basic_publish("", queue, b"slow")
    eventually(lambda: process.noted() == ["beginning"], 60, "the batch under way")
    os.kill(process.process.pid, signal.SIGTERM)
    assert process.end(signal.SIGINT) == 1  # another one, for two of a kind may arrive as one
    assert process.noted() == ["beginning"]
    eventually(lambda: channel.queue_declare(queue, passive=True).method.message_count == 1, 60, "the message is back")


def test_without_a_broker_to_reach_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local_runtime.processes.consumer"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"AMQP_URL is not set" in done.stderr


def test_a_killed_consumer_loses_nothing(consumer: tuple[Consumer, str], channel: Any) -> None:
    process, queue = consumer
    channel.basic_publish("", queue, b"hang")
    eventually(lambda: process.noted() == ["hanging"], 60, "the batch under way")
    process.end(signal.SIGKILL)
    process.start()
    eventually(lambda: process.noted() == ["hanging", "hang"], 60, "the message, delivered again")


def test_a_function_that_overruns_its_timeout_ends_the_process_and_its_batch_comes_back(
    consumer: tuple[Consumer, str], channel: Any
) -> None:
    process, queue = consumer
    channel.basic_publish("", queue, b"hang")
    assert process.process.wait(60) == 70
    process.start()
    eventually(lambda: process.noted() == ["hanging", "hang"], 60, "the message, delivered again")
