"""Flask on gunicorn's own gevent worker, redis-py, a pool of pika's blocking channels with publisher confirms."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - the patches come first
import queue  # noqa: E402
import ssl  # noqa: E402
from typing import Any  # noqa: E402

import pika  # noqa: E402
import redis  # noqa: E402
from flask import Flask, Response, jsonify, request  # noqa: E402

from tests.benchmarks.peers import work  # noqa: E402

POOL = 16
app = Flask(__name__)
board: Any = redis.Redis.from_url(os.environ["REDIS_URL"])
update_script = board.register_script(work.SCRIPT)
channels: queue.Queue[Any] = queue.Queue()
PROPERTIES = pika.BasicProperties(content_type="application/json", delivery_mode=2)


def open_channel() -> Any:
    """A confirming channel on a connection of its own."""
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    context = ssl.create_default_context(cafile=os.environ["AMQP_CA_FILE"])
    parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    channel = pika.BlockingConnection(parameters).channel()
    channel.confirm_delivery()
    return channel


for _ in range(POOL):
    channels.put(None)


@app.errorhandler(work.Refused)
def refuse(error: work.Refused) -> Response:
    """As a problem document."""
    response = jsonify(status=error.status)
    response.status_code = error.status
    return response


@app.post("/api/score/<user_id>")
def update(user_id: str) -> Response:
    """Raise the caller's score."""
    if work.caller(request.headers.get("Authorization", "")) != user_id:
        raise work.Refused(403)
    increment = work.increment_of(request.get_json(silent=True))
    source_ip = request.remote_addr or ""
    keys, arguments = work.script_arguments(user_id, increment, source_ip)
    result = update_script(keys=keys, args=arguments)
    document, headers = work.answer_of(result, user_id, increment)
    channel = channels.get()
    try:
        channel = channel or open_channel()
        body = work.message_of(result, user_id, increment, source_ip)
        channel.basic_publish("", work.QUEUE, body, PROPERTIES, mandatory=True)
        board.xdel(keys[5], result[6])
    finally:
        channels.put(channel)
    response = jsonify(document)
    response.headers.update(headers)
    return response


@app.get("/healthz")
def alive() -> Response:
    """Alive."""
    return jsonify(status="ok")
