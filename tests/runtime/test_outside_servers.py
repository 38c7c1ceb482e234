"""Servers that somebody else runs: what is wrong with their URLs is told before anything is started."""

from __future__ import annotations

import pytest

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from shared.adapters.redis.connection import connect
from shared.errors import ConfigurationError


@pytest.mark.parametrize("url", ["unix:///run/redis.sock", "http://127.0.0.1:6379", "127.0.0.1:6379"])
def test_a_redis_that_is_not_spoken_to_over_tcp_is_refused(url: str) -> None:
    with pytest.raises(InstanceError, match="must begin with redis:// or rediss://"):
        check_outside_servers({"REDIS_URL": url}, {})
    with pytest.raises(ConfigurationError, match="must begin with redis:// or rediss://"):
        connect(url)
