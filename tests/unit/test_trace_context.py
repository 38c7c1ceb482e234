"""The grammar of W3C Trace Context: what is well-formed is sent on as it came, and nothing else is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.tracing import TraceContext, read_trace

TRACE, SPAN = "a1" * 16, "b2" * 8
PARENT = f"00-{TRACE}-{SPAN}-01"
HEX = "0123456789abcdef"
KEY_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
VALUE_CHARACTERS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in ",=")

trace_ids = st.text(HEX, min_size=32, max_size=32).filter(lambda text: text.strip("0"))
span_ids = st.text(HEX, min_size=16, max_size=16).filter(lambda text: text.strip("0"))
keys = st.builds("".join, st.tuples(st.sampled_from("abcxyz"), st.text(KEY_CHARACTERS, max_size=12)))
values = st.text(VALUE_CHARACTERS, min_size=1, max_size=20)


@given(trace_ids, span_ids, st.sampled_from(["00", "01", "02", "03"]), st.dictionaries(keys, values, max_size=10))
def test_what_is_well_formed_is_sent_on_as_it_came(trace: str, span: str, flags: str, state: dict[str, str]) -> None:
    headers = {"traceparent": f"00-{trace}-{span}-{flags}"}
    if state:
        headers["tracestate"] = ",".join(f"{key}={value}" for key, value in state.items())
    read = read_trace(headers)
    assert read is not None
    assert read.headers() == headers


@given(st.text(max_size=80) | st.text(f"{HEX}-", max_size=60) | st.binary(max_size=10))
def test_what_is_not_is_no_part_of_a_trace(text: object) -> None:
    well_formed = isinstance(text, str) and re.fullmatch(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", text)
    assert bool(well_formed) or read_trace({"traceparent": text}) is None


@pytest.mark.parametrize(
    "parent",
    [
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
        f"{PARENT}\n",
        f" {PARENT}",
        f"{PARENT},{PARENT}",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-1",
        "",
    ],
)
def test_none_of_these_is_well_formed(parent: str) -> None:
    assert read_trace({"traceparent": parent, "tracestate": "a=b"}) is None


def test_a_later_version_is_understood_as_far_as_this_one_goes() -> None:
    read = read_trace({"traceparent": f"cc-{TRACE}-{SPAN}-ff-what-the-future-brings"})
    assert read == TraceContext(TRACE, SPAN, 3)
    assert read.headers() == {"traceparent": f"00-{TRACE}-{SPAN}-03"}


@pytest.mark.parametrize(
    "state", ["a", "a=", "A=b", "a=b,a=c", "a=b=c", "@x=1", "a=\x7f", ",".join(f"k{n}=v" for n in range(33))]
)
def test_a_malformed_state_is_dropped_and_the_trace_goes_on(state: str) -> None:
    assert read_trace({"traceparent": PARENT, "tracestate": state}) == TraceContext(TRACE, SPAN, 1)


def test_blanks_and_empty_members_mean_nothing() -> None:
    read = read_trace({"traceparent": PARENT, "tracestate": "a=1 , ,\tvendor@system=2, "})
    assert read is not None
    assert read.state == "a=1,vendor@system=2"


def test_of_a_long_state_long_members_go_first_and_then_the_last() -> None:
    long, short = f"long={'x' * 200}", [f"k{number}={'y' * 90}" for number in range(6)]
    read = read_trace({"traceparent": PARENT, "tracestate": ",".join([long, *short])})
    assert read is not None
    assert read.state == ",".join(short[:5])
