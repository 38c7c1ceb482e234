"""How a consumer reaches the broker: TLS 1.3 or newer where nothing else is said, verified by name and by CA."""

from __future__ import annotations

from collections.abc import Mapping

import pika

from local_runtime.settings import ProvidedSettings
from shared.core.amqp import parameters_of_each
from shared.core.tls_versions import tls_version

CONNECT_SECONDS = 8.0
TCP_SECONDS = 3.0  # of it: a machine that is gone answers nothing, and the next broker is waiting


def connection_parameters(environment: Mapping[str, str], virtual_host: str) -> list[pika.URLParameters]:
    """Of each broker of AMQP_URL, with AMQP_CA_FILE and AMQP_TLS_MINIMUM.

    A virtual host of the template beats the URL's, the root one leaves it.
    """
    provided = ProvidedSettings.from_environment(environment)
    minimum = tls_version(provided.amqp_tls_minimum)
    brokers = parameters_of_each(provided.amqp_url, provided.amqp_ca_file, CONNECT_SECONDS, minimum)
    for parameters in brokers:
        parameters.socket_timeout = TCP_SECONDS
        if virtual_host != "/":
            parameters.virtual_host = virtual_host
    return brokers
