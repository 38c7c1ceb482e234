"""`python -m infra.deploy.secret`: the secret that the functions read, with the stores' URLs and keys that nobody has seen."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from infra.deploy.aws import aws, clients
from infra.sam import read_sam
from local_runtime.cli.errors import EXIT_OK, CliError
from local_runtime.cli.output import say
from local_runtime.instance.keyring import new_payload_key, new_signing_key

DATABASE_CA = "global-bundle.pem"
DATABASE_CA_URL = f"https://truststore.pki.rds.amazonaws.com/global/{DATABASE_CA}"
# Outputs of the stores' stack that are parameters of the template.
PARAMETERS = ("SubnetIds", "SecurityGroupIds", "MqBrokerArn", "MqCredentialsArn")
EPILOG = f"""\
Nothing secret is printed, and keys that are there are kept. PostgreSQL's certificate is of a CA of Amazon's own: put its bundle
into infra/certificates first, from where it goes into the layer:
  curl --create-dirs -o infra/certificates/{DATABASE_CA} {DATABASE_CA_URL}

example:
  python -m infra.deploy.secret --stores scoreboard-stores --name scoreboard

exit codes:
  0  the secret is there; the parameters that deploy the template with it are printed
  1  the stack or its secrets cannot be read, or the bundle is missing
  2  bad usage
"""


class Clients(NamedTuple):
    """The services of AWS that are spoken to."""

    stacks: Any
    secrets: Any


def connect(region: str | None) -> Clients:
    """Clients with the credentials of the environment or the profile."""
    return Clients(*clients(region, {"cloudformation": None, "secretsmanager": None}))


def main(argv: Sequence[str], connect: Callable[[str | None], Clients] = connect, certificates: Path | None = None) -> int:
    """Run the command line; answers the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.deploy.secret",
        description="Makes the secret that the functions read, or brings its URLs up to date.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--stores", default="scoreboard-stores", metavar="STACK", help="the stack of infra/stores.yaml")
    parser.add_argument("--name", default="scoreboard", help="the secret's name (scoreboard)")
    parser.add_argument("--region", help="the AWS region (that of the environment or the profile)")
    arguments = parser.parse_args(argv)
    try:
        bundle = (certificates or read_sam().certificates) / DATABASE_CA
        if not bundle.is_file():
            raise CliError(f"{bundle} is missing; get it with:  curl --create-dirs -o {bundle} {DATABASE_CA_URL}")  # noqa: TRY301
        clients = connect(arguments.region)
        outputs = _outputs(clients.stacks, arguments.stores)
        arn = _store(clients.secrets, arguments.name, _urls(clients.secrets, outputs))
    except CliError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a command's output
        return error.exit_code
    say("parameters of infra/template.yaml:")
    for name, value in {"ScoreboardSecretId": arn, **{name: outputs[name] for name in PARAMETERS}}.items():
        say(f"  {name}={value}")
    return EXIT_OK


def _outputs(stacks: Any, name: str) -> dict[str, str]:
    with aws(f"reading the stack {name}"):
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _urls(secrets: Any, outputs: Mapping[str, str]) -> dict[str, str]:
    """What functions need to reach the stores; all lines are encrypted, and the other end is verified."""
    redis = _read(secrets, outputs["RedisLoginArn"])
    broker = _read(secrets, outputs["MqCredentialsArn"])
    database = _read(secrets, outputs["DatabaseLoginArn"])
    broker_address = urlsplit(outputs["BrokerAddress"]).netloc
    database_login = f"{database['username']}:{database['password']}"
    return {
        "REDIS_URL": f"rediss://:{redis['password']}@{outputs['RedisAddress']}/0",
        "AMQP_URL": f"amqps://{broker['username']}:{broker['password']}@{broker_address}/%2F",
        "DATABASE_URL": f"postgresql://{database_login}@{outputs['DatabaseAddress']}/scoreboard?sslmode=verify-full",
        "DATABASE_CA_FILE": f"/opt/certificates/{DATABASE_CA}",
    }


def _store(secrets: Any, name: str, urls: Mapping[str, str]) -> str:
    """Make the secret or put the URLs into it; answer its ARN."""
    try:
        known = secrets.describe_secret(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        values = {"JWT_SIGNING_KEY": new_signing_key(), "PAYLOAD_KEYS": new_payload_key(), **urls}
        with aws(f"making the secret {name}"):
            made = secrets.create_secret(Name=name, SecretString=json.dumps(values))
        say(f"the secret {name} is made, with new keys and the URLs of the stores")
        say("stores that other keys have sealed refuse these: put their JWT_SIGNING_KEY and PAYLOAD_KEYS into the secret instead")
        return str(made["ARN"])
    values = _read(secrets, name)
    changed = sorted(key for key, value in urls.items() if values.get(key) != value)
    if changed:
        with aws(f"writing the secret {name}"):
            secrets.put_secret_value(SecretId=name, SecretString=json.dumps({**values, **urls}))
    say(f"the secret {name} has new values for {', '.join(changed)}" if changed else f"the secret {name} is up to date")
    return str(known["ARN"])


def _read(secrets: Any, secret_id: str) -> dict[str, str]:
    with aws(f"reading the secret {secret_id}"):
        return dict(json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
