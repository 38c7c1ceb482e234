"""The command line of `python -m infra.package`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.package.artefact import MAX_UNZIPPED_BYTES, Artefact
from infra.package.contents import LAYER_NAME, build_function, build_layer
from infra.package.deployable import TEMPLATE_NAME, deployable_template
from infra.package.target import GLIBC_MINOR, MACHINES, Target
from infra.sam import Sam, read_sam
from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.output import say
from local_runtime.hosting.template import TemplateProblems
from local_runtime.settings import DEFAULT_TEMPLATE, PROJECT_ROOT

DEFAULT_CACHE = PROJECT_ROOT / ".cache" / "wheels"
EPILOG = """\
Each zip holds what its function needs and nothing else; what all need is in layer.zip. Byte-code for the runtime's Python is
in all of them. Every native library is held against the machine and the C library of the runtime, sizes against Lambda's
limits. The same sources give the same bytes, wherever and whenever they are packaged. The libraries are those of
infra/package/layer-requirements.txt, by hash; they are fetched once and kept. With everything comes the template that deploys it:
  sam deploy --template-file dist/template.yaml --stack-name scoreboard --resolve-s3 --capabilities CAPABILITY_IAM

examples:
  python -m infra.package --out dist
  python -m infra.package --out dist --runtime python3.13
  python -m infra.package update_score layer --out dist --arch x86_64

exit codes:
  0  the artefacts are there; one line each: name, sha256, bytes zipped and unzipped
  1  something cannot be fetched or written, or would not run on Lambda: then no artefact is written
  2  bad usage, or the template cannot be read
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.package",
        description="Makes the zips that Lambda runs: one for each function, and the layer.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions by their directory, or `layer`; none: everything")
    parser.add_argument("--out", type=Path, default=Path("dist"), metavar="DIR", help="where the zips are written (dist)")
    parser.add_argument("--arch", choices=tuple(MACHINES), help="the machine they run on (the template's)")
    parser.add_argument(
        "--runtime", choices=tuple(GLIBC_MINOR), help="the Python they run on, which must be here (the template's)"
    )
    parser.add_argument("--template", type=Path, default=DEFAULT_TEMPLATE, metavar="PATH", help="the AWS SAM template")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR", help="where fetched libraries are kept")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command line; answers the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        sam = read_sam(arguments.template)
        target = _target(sam, arguments.runtime or sam.runtime, arguments.arch or sam.architecture)
        artefacts = build(sam, arguments.names, target, arguments.cache, progress=_progress)
        for artefact in artefacts:
            artefact.write(arguments.out)
            say(f"{artefact.name}.zip  {artefact.sha256}  {len(artefact.zip)}  {artefact.unzipped_bytes}")
        if not arguments.names:
            (arguments.out / TEMPLATE_NAME).write_text(deployable_template(sam, target), encoding="utf-8")
    except TemplateProblems as error:
        return _fail(str(error), EXIT_USAGE)
    except CliError as error:
        return _fail(str(error), error.exit_code)
    return EXIT_OK


def _target(sam: Sam, runtime: str, architecture: str) -> Target:
    if runtime not in sam.runtimes:
        raise CliError(f"the template lets functions run on {', '.join(sam.runtimes)}, and not on {runtime}", EXIT_USAGE)
    return Target(runtime, architecture)


def build(
    sam: Sam, names: Sequence[str], target: Target, cache: Path, progress: Callable[[str], None] = lambda line: None
) -> list[Artefact]:
    """Make the named artefacts, or all; CliError lists everything that Lambda would not take or could not load."""
    began_at = time.monotonic()
    builders: dict[str, Callable[[], Artefact]] = {LAYER_NAME: lambda: build_layer(sam.layer, sam.certificates, target, cache)}
    for function in sam.functions:
        builders[function.name] = lambda function=function: build_function(function, target, cache)  # type: ignore[misc]
    if unknown := [name for name in names if name not in builders]:
        raise CliError(f"there is no {', '.join(unknown)}; there are: {', '.join(sorted(builders))}", EXIT_USAGE)
    artefacts = []
    for name in dict.fromkeys(names or builders):
        artefacts.append(builders[name]())
        progress(f"[{len(artefacts)}/{len(dict.fromkeys(names or builders))}] {name}, {time.monotonic() - began_at:.1f} s")
    problems = [problem for artefact in artefacts for problem in artefact.problems(target)]
    problems += _too_much_together(artefacts)
    if problems:
        raise CliError("this would not run on Lambda:\n  " + "\n  ".join(problems))
    return artefacts


def _too_much_together(artefacts: Sequence[Artefact]) -> list[str]:
    """A function and its layer share one limit."""
    layer = next((artefact.unzipped_bytes for artefact in artefacts if artefact.name == LAYER_NAME), 0)
    return [
        f"{each.name}: with the layer it has {each.unzipped_bytes + layer:,} bytes, and Lambda takes {MAX_UNZIPPED_BYTES:,}"
        for each in artefacts
        if each.name != LAYER_NAME and each.unzipped_bytes + layer > MAX_UNZIPPED_BYTES
    ]


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a command's progress


def _fail(message: str, exit_code: int) -> int:
    print(f"error: {message}", file=sys.stderr, flush=True)  # noqa: T201 - a command's output
    return exit_code
