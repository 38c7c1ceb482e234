"""What the layer ships is what is tested here, by version and hash."""

from __future__ import annotations

import pytest

from infra.package import requirements


def test_the_layers_requirements_are_up_to_date() -> None:
    assert requirements.main(["--check"]) == 0


def test_they_are_the_layers_and_no_more() -> None:
    names = {line.partition("==")[0] for line in requirements.layer_requirements().splitlines() if "==" in line}
    assert {"redis", "pika", "pg8000", "pyjwt", "cryptography", "argon2-cffi", "msgspec", "cffi", "six"} <= names
    assert not {"boto3", "botocore", "flask", "gevent", "gunicorn", "pytest", "rich"} & names


def test_a_file_that_says_something_else_is_found(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    text = requirements.layer_requirements()
    monkeypatch.setattr(requirements, "layer_requirements", lambda: text.replace("redis==", "redis==0."))
    assert requirements.main(["--check"]) == 1
    assert "run `make lock`" in capfd.readouterr().out
