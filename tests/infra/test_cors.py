"""API Gateway is told of other origins what the local runtime is told."""

from __future__ import annotations

from infra.checks.template.translation import translate
from infra.sam import read_sam
from local_runtime.hosting.load import load_manifest
from local_runtime.instance.environment import with_provided_names
from local_runtime.settings import DEFAULT_TEMPLATE, InstanceSettings


def test_the_translated_api_opens_to_the_same_origins_methods_and_headers() -> None:
    """An intrinsic in the place of the origins alone would take that of the whole configuration when SAM translates it."""
    api = translate(read_sam(DEFAULT_TEMPLATE))["Resources"]["HttpApi"]["Properties"]["Body"]
    condition, told, otherwise = api["x-amazon-apigateway-cors"]["Fn::If"]
    cors = load_manifest(InstanceSettings(), with_provided_names({"CORS_ALLOWED_ORIGINS": "https://a.example"})).cors
    assert (condition, otherwise) == ("HasCorsOrigins", {"Ref": "AWS::NoValue"})
    assert told.pop("allowOrigins")["Fn::Split"][0] == ","
    assert told == {
        "allowMethods": list(cors.methods),
        "allowHeaders": list(cors.headers),
        "exposeHeaders": list(cors.exposed_headers),
        "maxAge": cors.max_age_seconds,
    }
