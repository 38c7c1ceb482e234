"""The template as CloudFormation will see it, translated in this process: no call to AWS, no credentials."""

from __future__ import annotations

import copy
import logging
from typing import Any

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from infra.sam import FUNCTION, LAYER, Sam

REGION = "eu-central-1"
# What a deployment puts in the place of a directory.
_UPLOADED = {"Bucket": "artefacts", "Key": "artefact.zip"}
_CODE = {FUNCTION: "CodeUri", LAYER: "ContentUri"}


class NotTranslatable(Exception):
    """SAM refuses the template; `problems` say why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def translate(sam: Sam) -> dict[str, Any]:
    """The template after SAM's transform; raises NotTranslatable."""
    document = copy.deepcopy(sam.document)
    for resource in document["Resources"].values():
        if resource.get("Type") in _CODE:
            resource["Properties"][_CODE[resource["Type"]]] = dict(_UPLOADED)
    values = {name: parameter.get("Default", "") for name, parameter in document.get("Parameters", {}).items()}
    logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)  # it warns of metrics that it cannot send
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    try:
        return dict(translator.translate(document, values))
    except InvalidDocumentException as error:
        raise NotTranslatable([cause.message for cause in error.causes]) from error
