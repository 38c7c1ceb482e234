"""The images of a test: ours as operators build it, and for all others one of this machine's own packages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.cluster.engine import Engine
from tests.cluster.machine import CannotRun
from tests.support.product import ROOT

BASE = "scoreboard-test-base"
BUILD = "scoreboard-test-build"
STORES = "scoreboard-test-stores"
PRODUCT = "scoreboard"
# As in the slim images of Debian: usr-is-merged stands in for usrmerge, which brings a whole Perl along.
PACKAGES = "ca-certificates,python3,usr-is-merged"
WITHOUT_PERL = 'chroot "$1" apt-get purge --yes usrmerge perl "^perl-modules" "^libperl5" "^lib.*-perl$"'
WITHOUT_LISTS = 'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin'
LEFT_OUT = ("doc", "man", "locale", "info")
CA_FILE = Path("/etc/ssl/certs/ca-certificates.crt")


def build_images(engine: Engine) -> None:
    """Make those that are missing, and ours anew. Takes minutes the first time."""
    if not engine.run("docker", "images", "--quiet", BASE).strip():
        _import_base(engine)
    context = engine.place / "context"
    context.mkdir(exist_ok=True)
    shutil.copy(CA_FILE, context / CA_FILE.name)
    for target, name in (("build", BUILD), ("stores", STORES)):
        dockerfile = str(Path(__file__).with_name("images.Dockerfile"))
        shutil.copy(dockerfile, context / "Dockerfile")
        engine.run("docker", "build", "--network", "host", "--target", target, "--tag", name, str(context))
    arguments = (f"PYTHON_IMAGE={BASE}", f"BUILD_IMAGE={BUILD}")
    engine.run(
        *("docker", "build", "--network", "host", "--file", "infra/containers/Dockerfile", "--tag", PRODUCT),
        *(word for argument in arguments for word in ("--build-arg", argument)),
        ".",
        cwd=ROOT,
    )


def size_bytes(engine: Engine, image: str) -> int:
    """Of all layers of an image, as they lie on the disk."""
    return int(engine.run("docker", "inspect", "--format", "{{.Size}}", image))


def _import_base(engine: Engine) -> None:
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    suite = release.get("VERSION_CODENAME", "").strip('"')
    sources = [path for path in (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources")) if path.exists()]
    if release.get("ID", "").strip('"') != "debian" or not sources:
        raise CannotRun("the base image is made of the packages of Debian: run this on Debian")
    archive = engine.place / "base.tar"
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=apt", f"--include={PACKAGES}"),
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT),
            *(f"--customize-hook={hook}" for hook in (WITHOUT_PERL, WITHOUT_LISTS)),
            *(suite, str(archive), *map(str, sources)),
        ],
        check=True,
    )
    engine.run("docker", "import", str(archive), BASE)
    archive.unlink()
