"""Which URLs of servers elsewhere are warned of, once by whoever starts an instance and once by each process of functions."""

from __future__ import annotations

import logging

import pytest

from shared.core.tls import what_travels_unprotected

PLAIN, UNVERIFIED, GOOD = "plain text", "nobody checks", ""
URLS = {
    "redis://:s3cret@cache.example:6379/0": PLAIN,
    "redis://:s3cret@10.0.0.5:6379/0": PLAIN,
    "rediss://:s3cret@cache.example:6379/0": GOOD,
    "rediss://:s3cret@cache.example:6379/0?ssl_cert_reqs=none": UNVERIFIED,
    "redis://:s3cret@127.0.0.1:6379/0": GOOD,
    "redis://:s3cret@localhost:6379/0": GOOD,
    "redis://:s3cret@[::1]:6379/0": GOOD,
    "amqp://u:s3cret@broker.example/": PLAIN,
    "amqps://u:s3cret@broker.example/": GOOD,
    "amqp://u:s3cret@127.0.0.1/": GOOD,
    "postgresql://u:s3cret@db.example/d": GOOD,
    "postgresql://u:s3cret@db.example/d?sslmode=verify-full": GOOD,
    "postgresql://u:s3cret@db.example/d?sslmode=disable": PLAIN,
    "postgresql://u:s3cret@db.example/d?sslmode=require": UNVERIFIED,
    "postgresql://u:s3cret@db.example/d?sslmode=verify-ca": UNVERIFIED,
    "postgresql://u:s3cret@127.0.0.1/d": GOOD,
    "postgresql://u:s3cret@/d?host=/run/postgresql": GOOD,
}


@pytest.mark.parametrize("url", URLS)
def test_who_could_listen_is_told_without_the_password(url: str) -> None:
    warning = what_travels_unprotected("SOME_URL", url)
    assert bool(warning) == bool(URLS[url])
    assert URLS[url] in warning
    assert "s3cret" not in warning


def test_functions_warn_when_they_are_wired(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from shared.container import container

    urls = {
        "REDIS_URL": "redis://:s3cret@cache.example/0",
        "AMQP_URL": "amqps://u:s3cret@broker.example/",
        "DATABASE_URL": "postgresql://u:s3cret@127.0.0.1/d",
    }
    for name, value in {**urls, "JWT_SIGNING_KEY": "unused", "PAYLOAD_KEYS": "unused"}.items():
        monkeypatch.setenv(name, value)
    logger = logging.getLogger("shared")
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(caplog.handler)
    container.cache_clear()
    try:
        container()
        container()
    finally:
        container.cache_clear()
        logger.removeHandler(caplog.handler)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["REDIS_URL"]
