"""What a deployment tries new versions with: every function answers or refuses it, and no player notices."""

from __future__ import annotations

import pytest

from infra.deploy.smoke import failure, smoke_event
from infra.sam import Function, read_sam
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke
from tests.handlers.players import consuming, new_board, new_player

SAM = read_sam()
MANIFEST = SAM.manifest


@pytest.mark.parametrize("function", SAM.functions, ids=lambda function: function.name)
def test_a_smoke_test_is_passed_and_harms_nobody(redeploy: Redeploy, function: Function) -> None:
    board = new_board(redeploy)
    player = new_player(board)
    assert player.score().status == 200
    try:
        with consuming(board):
            answer, error = invoke(function.name, smoke_event(MANIFEST, function)), None
    except Exception as raised:  # what Lambda answers then
        answer, error = {"errorType": type(raised).__name__, "errorMessage": str(raised)}, "Unhandled"
    assert failure(answer, error) is None
    assert board.leaderboard.scores([player.user_id]) == {player.user_id: 1}
