"""Each fault that somebody may make in the template is found before it is deployed; without a fault there is nothing to find."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from infra.checks.template.command import broken_rules, lint_findings, main, problems_of
from infra.checks.template.translation import translate
from infra.sam import read_sam
from local_runtime.settings import DEFAULT_TEMPLATE, PROJECT_ROOT

TEXT = DEFAULT_TEMPLATE.read_text(encoding="utf-8")
FAULTS: dict[str, list[dict[str, dict[str, str]]]] = yaml.safe_load(
    (Path(__file__).parent / "template_faults.yaml").read_text(encoding="utf-8")
)


def faulty(directory: Path, faults: dict[str, dict[str, str]]) -> Path:
    """The template with faults in it, its directories where it looks for them."""
    text = TEXT
    for name, fault in faults.items():
        assert fault["replace"] in text, name
        text = text.replace(fault["replace"], fault["by"])
    (directory / "infra").mkdir()
    for name in ("functions", "shared"):
        (directory / name).symlink_to(PROJECT_ROOT / name)
    path = directory / "infra" / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def missed(faults: dict[str, dict[str, str]], found: list[str]) -> list[str]:
    """The faults that nothing was said about."""
    return [name for name, fault in faults.items() if not any(fault["found"] in problem for problem in found)]


def test_without_a_fault_no_rule_is_broken() -> None:
    sam = read_sam()
    assert broken_rules(translate(sam), sam) == []


@pytest.mark.parametrize("faults", FAULTS["broken rules"], ids=", ".join)
def test_broken_rules_are_found(tmp_path: Path, faults: dict[str, dict[str, str]]) -> None:
    sam = read_sam(faulty(tmp_path, faults))
    assert missed(faults, broken_rules(translate(sam), sam)) == []


@pytest.mark.parametrize("faults", FAULTS["refused"], ids=", ".join)
def test_a_template_that_nobody_could_deploy_is_found(tmp_path: Path, faults: dict[str, dict[str, str]]) -> None:
    assert missed(faults, problems_of(faulty(tmp_path, faults))) == []


@pytest.mark.parametrize("faults", FAULTS["found by cfn-lint"], ids=", ".join)
def test_what_cloudformation_would_refuse_is_found(tmp_path: Path, faults: dict[str, dict[str, str]]) -> None:
    assert missed(faults, lint_findings(json.dumps(translate(read_sam(faulty(tmp_path, faults)))))) == []


def test_a_permission_that_is_missing_is_found() -> None:
    sam = read_sam()
    translated = translate(sam)
    for name in ("UpdateScorePostPermission", "WebSocketApiConnectPermission"):
        del translated["Resources"][name]
    found = broken_rules(translated, sam)
    assert [problem.split(":")[0] for problem in found] == ["POST /api/score/{user_id}", "$connect"]


def test_a_kind_of_api_that_there_is_not_is_found() -> None:
    sam = read_sam()
    translated = translate(sam)
    translated["Resources"]["WebSocketApi"]["Properties"]["ProtocolType"] = "WEBSOCKETS"
    translated["Resources"]["WebSocketApiConnectIntegration"]["Properties"]["IntegrationType"] = "AWS"
    assert [problem.split(" ")[1] for problem in broken_rules(translated, sam)] == ["ProtocolType", "IntegrationType"]


def test_a_function_that_is_deployed_nowhere_is_found(tmp_path: Path) -> None:
    path = faulty(tmp_path, {})
    (tmp_path / "functions").unlink()
    shutil.copytree(PROJECT_ROOT / "functions", tmp_path / "functions")
    shutil.copytree(PROJECT_ROOT / "functions" / "get_jwks", tmp_path / "functions" / "forgotten")
    sam = read_sam(path)
    assert "functions/forgotten: is no function of the template" in broken_rules(translate(sam), sam)


def test_the_command_says_each_problem(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([str(faulty(tmp_path, FAULTS["refused"][0]))]) == 1
    assert "Queues is missing" in capfd.readouterr().err
