"""Every accepted update is accounted for by its number, on whatever board it was accepted."""

from __future__ import annotations

from typing import Any

import redis

from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.defined_boards import DefinedBoard
from tests.handlers.events import invoke
from tests.handlers.players import consuming, new_board, new_player


def test_entries_of_all_boards_are_found_wherever_they_are(deployed: Container, redeploy: Redeploy, redis_url: str) -> None:
    deps = new_board(redeploy)
    with redis.Redis.from_url(redis_url) as client:
        boards = [DefinedBoard.make(deps, client, operator=operator) for operator in ("add", "best")]
        player = new_player(deps)
        first = boards[0].add(player.user_id, 5)
        player.score(1)
        second = boards[1].add(player.user_id, 7)
        assert first.number is not None
        assert second.number is not None
        epoch = first.number.epoch

        def books() -> dict[str, Any]:
            told = invoke("check_balance", {})
            return {name: told[name] for name in ("number", "outbox", "inFlight", "gaps")}

        number = {"epoch": epoch, "sequence": second.number.sequence}
        assert (first.number.sequence, second.number.sequence) == (1, 3)
        assert books() == {"number": number, "outbox": 3, "inFlight": 0, "gaps": []}

        [oldest, *_] = client.xrange(deps._shard.outbox)  # the broker alone has it
        client.xdel(deps._shard.outbox, oldest[0])
        assert books() == {
            "number": number,
            "outbox": 2,
            "inFlight": 1,
            "gaps": [{"epoch": epoch, "first": 1, "last": 1}],
        }
        with consuming(deps):
            for board in boards:
                board.arrived(1)
            assert books() == {"number": number, "outbox": 0, "inFlight": 0, "gaps": []}
