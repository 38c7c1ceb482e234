"""What is wrong with a deployment is noticed, and said: each control takes one thing away."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_runtime.hosting.invoker import FunctionError
from local_runtime.settings import DEFAULT_TEMPLATE
from tests.lambda_runtime.deployment import Deployment, beside
from tests.lambda_runtime.packages import Packages, altered


def template_without(lines: list[str], directory: Path) -> Path:
    """A copy of the template, beside its functions' directories by absolute paths, that lacks these lines."""
    text = DEFAULT_TEMPLATE.read_text(encoding="utf-8").replace(": ../", f": {DEFAULT_TEMPLATE.parent.parent}/")
    block = "\n".join(lines) + "\n"
    assert text.count(block) == 1, text.count(block)
    path = directory / "template.yaml"
    path.write_text(text.replace(block, ""), encoding="utf-8")
    return path


def test_the_same_deployment_works_when_nothing_is_taken_away(deployment: Deployment) -> None:
    with beside(deployment) as same:
        assert same.api.get("/readyz").status == 200
        assert same.invoke("prepare_stores", {})["migrations"] == []


def test_a_layer_without_a_library_fails_the_functions_that_need_it(deployment: Deployment, tmp_path: Path) -> None:
    artefacts = altered(
        deployment.plan.packages.artefacts,
        tmp_path / "artefacts",
        "layer",
        lambda content: {name: text for name, text in content.items() if not name.startswith("python/pg8000/")},
    )
    with beside(deployment, packages=Packages(artefacts, tmp_path / "unpacked")) as broken:
        with pytest.raises(FunctionError, match="No module named 'pg8000"):
            broken.invoke("prepare_stores", {})
        ready = broken.api.get("/readyz")
        assert (ready.data["status"], ready.data["postgresql"]) == ("degraded", "down")
        assert not ready.data["capabilities"]["logIn"]["ok"]
        assert broken.api.get("/openapi.json").status == 200, "it needs none"


def test_a_handler_under_another_name_answers_nothing(deployment: Deployment, tmp_path: Path) -> None:
    artefacts = altered(
        deployment.plan.packages.artefacts,
        tmp_path / "artefacts",
        "get_jwks",
        lambda content: {name.replace("handler", "main"): text for name, text in content.items()},
    )
    with beside(deployment, packages=Packages(artefacts, tmp_path / "unpacked")) as broken:
        answer = broken.api.get("/.well-known/jwks.json")
        assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})
        with pytest.raises(FunctionError, match="Unable to import module 'handler'"):
            broken.invoke("get_jwks", {})


def test_a_route_that_is_not_in_the_template_is_not_there(deployment: Deployment, tmp_path: Path) -> None:
    lines = [
        "      Events:",
        "        Get:",
        "          Type: HttpApi",
        "          Properties:",
        "            ApiId: !Ref HttpApi",
        "            Method: GET",
        "            Path: /api/scores",
    ]
    with beside(deployment, template=template_without(lines, tmp_path)) as broken:
        answer = broken.api.get("/api/scores")
        assert (answer.status, answer.json) == (404, {"message": "Not Found"})


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_a_variable_that_is_not_in_the_template_is_missed_by_name(deployment: Deployment, tmp_path: Path, name: str) -> None:
    parameter = "".join(part.capitalize() for part in name.split("_"))
    template = template_without([f"        {name}: !Ref {parameter}"], tmp_path)
    with beside(deployment, template=template) as broken, pytest.raises(FunctionError, match=f"{name} is missing"):
        broken.invoke("prepare_stores", {})


def test_a_secret_without_a_key_is_missed_by_name(deployment: Deployment) -> None:
    assert deployment.plan.secret is not None
    secret = {name: value for name, value in deployment.plan.secret.items() if name != "PAYLOAD_KEYS"}
    with beside(deployment, secret=secret) as broken, pytest.raises(FunctionError, match="PAYLOAD_KEYS is missing"):
        broken.invoke("prepare_stores", {})


def test_a_secret_that_is_not_there_is_said_to_be(deployment: Deployment) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nobody-made-it-AbCdEf"
    with beside(deployment, parameters={"ScoreboardSecretId": arn}) as broken:
        with pytest.raises(FunctionError, match="ResourceNotFoundException"):
            broken.invoke("prepare_stores", {})
        assert broken.api.get("/readyz").status == 500
