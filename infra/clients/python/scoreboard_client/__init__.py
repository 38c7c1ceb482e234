"""A client of the scoreboard, for threads and for asyncio.

    scoreboard = Scoreboard("https://scores.example")
    scoreboard.log_in("ada", "correct horse battery")
    receipt = scoreboard.add_points(5)
    for board in scoreboard.watch():
        print(board["data"])

An AsyncScoreboard has the same methods, to be awaited.
"""

from scoreboard_client.asynchronous import AsyncLiveBoard, AsyncScoreboard
from scoreboard_client.blocking import LiveBoard, Scoreboard
from scoreboard_client.errors import ScoreboardError
from scoreboard_client.patience import Patience
from scoreboard_client.values import Account, Board, BoardPage, EntryReceipt, HistoryEntry, Line, OwnAccount, Receipt, Standing

__all__ = [
    "Account",
    "AsyncLiveBoard",
    "AsyncScoreboard",
    "Board",
    "BoardPage",
    "EntryReceipt",
    "HistoryEntry",
    "Line",
    "LiveBoard",
    "OwnAccount",
    "Patience",
    "Receipt",
    "Scoreboard",
    "ScoreboardError",
    "Standing",
]
