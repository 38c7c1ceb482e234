"""A private PostgreSQL that offers TLS."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from local_runtime.instance.servers.certificates import Certificates
from local_runtime.instance.servers.postgresql import ACCOUNT


def offer_tls(data_dir: Path, certificates: Certificates) -> None:
    """From its next start on, with a certificate for loopback names; its cluster is made already."""
    cluster = (data_dir / "postgresql").resolve() / "cluster"
    for source, name in ((certificates.certificate_file, "server.crt"), (certificates.key_file, "server.key")):
        shutil.copyfile(source, cluster / name)
        (cluster / name).chmod(0o600)
        if os.geteuid() == 0:
            os.chown(cluster / name, pwd.getpwnam(ACCOUNT).pw_uid, -1)
    with (cluster / "postgresql.conf").open("a") as configuration:
        configuration.write("ssl = on\n")
