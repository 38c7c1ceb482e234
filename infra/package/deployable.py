"""The template that deploys the artefacts: as it stands, but for the zips in the place of directories, and what they run on."""

from __future__ import annotations

import re

from infra.package.contents import LAYER_NAME
from infra.package.target import Target
from infra.sam import Sam

TEMPLATE_NAME = "template.yaml"
_CODE = re.compile(r"^( +(?:CodeUri|ContentUri): )(\S+)$", re.MULTILINE)
_RUNTIME = re.compile(r"^(    Default: )python[\d.]+(\n    AllowedValues: )\[python[^\]]*\]$", re.MULTILINE)
_MACHINE = re.compile(r"^( +(?:Compatible)?Architectures: )\[\w+\]$", re.MULTILINE)


def deployable_template(sam: Sam, target: Target) -> str:
    """Its text, to be written beside the zips."""
    names = {sam.layer: LAYER_NAME, **{function.directory: function.name for function in sam.functions}}

    def artefact_of(match: re.Match[str]) -> str:
        return f"{match[1]}{names[(sam.path.parent / match[2]).resolve()]}.zip"

    text = _CODE.sub(artefact_of, sam.path.read_text(encoding="utf-8"))
    text = _RUNTIME.sub(rf"\g<1>{target.runtime}\g<2>[{target.runtime}]", text)
    return _MACHINE.sub(rf"\1[{target.architecture}]", text)
