# The images that stand in for the official ones, made of this machine's own packages: `base` is what mmdebstrap made.
FROM scoreboard-test-base AS build
# The machine's own certificate authorities: its package registry may be behind one.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt

FROM scoreboard-test-base AS stores
ENV DEBIAN_FRONTEND=noninteractive
RUN mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
    && printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
    && apt-get update \
    && apt-get install --yes --no-install-recommends caddy hostname postgresql prometheus rabbitmq-server redis-server wget \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && install --directory --owner redis --group redis /data \
    && install --directory --owner nobody --group nogroup /prometheus
