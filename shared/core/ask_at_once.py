"""Ask several at the same time, with patience for all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def ask_at_once(questions: Mapping[str, Callable[[], T]], patience_seconds: float) -> dict[str, T | BaseException]:
    """By name what each answers, or raises; TimeoutError for one that takes longer, and is not waited for."""
    asking = ThreadPoolExecutor(len(questions), thread_name_prefix="ask")
    answers = {name: asking.submit(question) for name, question in questions.items()}
    wait(answers.values(), patience_seconds)
    asking.shutdown(wait=False, cancel_futures=True)
    return {
        name: TimeoutError() if not answer.done() else answer.exception() or answer.result() for name, answer in answers.items()
    }
