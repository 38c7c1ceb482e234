"""Run by a test in a process of its own: the publisher in a program that gevent has patched."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - the patches come first
import sys  # noqa: E402
import time  # noqa: E402
from datetime import UTC, datetime  # noqa: E402

import gevent  # noqa: E402
import gevent.event  # noqa: E402

from shared.boards.board import MAIN  # noqa: E402
from shared.core.loop import find_loop  # noqa: E402
from shared.ledger.events import ScoreAccepted  # noqa: E402
from shared.ledger.messages import EventCodec  # noqa: E402
from shared.ledger.publisher_rabbitmq import RabbitPublisher  # noqa: E402
from shared.stores.sealing import Sealer  # noqa: E402

PUBLISHERS, EACH = 100, 5

if __name__ == "__main__":
    arguments = json.loads(sys.stdin.read())
    confirmed: list[str] = []
    publisher = RabbitPublisher(
        arguments["amqp_url"],
        ca_file=arguments["amqp_ca_file"],
        codec=EventCodec(Sealer.from_setting(arguments["payload_keys"]), MAIN.increments),
        on_confirmed=confirmed.extend,
        wait_seconds=20,
        loop=find_loop(arguments["loop_hook"]),
    )

    def publish(number: int) -> None:
        for step in range(EACH):
            outbox_id = f"{number}-{step}"
            event = ScoreAccepted(outbox_id, "u-1", 1, 1, datetime.now(UTC), "198.51.100.7", outbox_id=outbox_id)
            publisher.publish_accepted([event])

    pauses, stop = [0.0], gevent.event.Event()

    def feel_the_pulse() -> None:
        while not stop.is_set():
            began = time.monotonic()
            gevent.sleep(0.005)
            pauses.append(time.monotonic() - began)

    pulse = gevent.spawn(feel_the_pulse)
    publishing = [gevent.spawn(publish, number) for number in range(PUBLISHERS)]
    gevent.joinall(publishing, timeout=100, raise_error=True)
    stop.set()
    pulse.join()
    assert max(pauses) < 20, f"other greenlets stood still for {max(pauses):.2f} s"
    publisher.close()
    assert len(confirmed) == len(set(confirmed)) == PUBLISHERS * EACH
    print("ok")  # noqa: T201
