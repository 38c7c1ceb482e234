"""Messages as the first version of the payload wrote them: whatever comes after must go on reading them.

They were sealed once, with a key that is used for nothing else, and are never to be made anew.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from shared.boards.board import MAIN
from shared.ledger.events import ScoreAccepted, ScoresRecorded
from shared.ledger.messages import EventCodec
from shared.stores.sealing import Sealer

AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
UPDATE = (
    b'{"request_id":"6d1a6e0b-7f6f-4b9e-8f55-0b9c4d0f8a11","user_id":"018f2c3a-1b2c-8d3e-9f40-112233445566","increme'
    b'nt":3,"new_score":12,"encrypted_data":"golden.PHZqzDpB_2EeyphJSjeKYS8XT0E2B0_QlglqQXC4jemfL3in-6Ft2mMm1s84ObCp'
    b'flEzYhP5sRxnrC4q13i2Olq-42W67pZ5bAnoWFwIfv5FF6wsScY8mVuR"}'
)
MARKER = (
    b'{"request_id":"3f0c2b9e-0000-4000-8000-00000000c0de","user_id":"","increment":0,"new_score":0,"encrypted_data"'
    b':"golden.0aOJe656lpbPHiNmWmCqiWiQOawNcbgtLbySX8IMMCnYf7NPNk_3ElJ1tGSuB9rStYGDbKc68g0balErOFL2kRbB"}'
)
RECORDED = (
    b'{"encrypted_data":"golden._RsnPSL9oi3YjlA-9BkYroMJ5CfGXB5PpG_mOrXlhcCJq6eIRIulSpa9X1Csu9RLx1eEr-QI9YRimRBKv_xM'
    b'xatNMMFu08ljBMGj"}'
)


def test_messages_of_the_first_version_are_read() -> None:
    codec = EventCodec(Sealer.from_setting("golden:" + base64.b64encode(bytes(range(32))).decode()), MAIN.increments)
    request_id, user_id = "6d1a6e0b-7f6f-4b9e-8f55-0b9c4d0f8a11", "018f2c3a-1b2c-8d3e-9f40-112233445566"
    assert codec.open_update(UPDATE) == ScoreAccepted(request_id, user_id, 3, 12, AT, "198.51.100.7")
    assert codec.open_update(MARKER) == "3f0c2b9e-0000-4000-8000-00000000c0de"
    assert codec.open_recorded(RECORDED) == ScoresRecorded(7, AT)
