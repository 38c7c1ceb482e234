"""The chart: what Helm makes of it is what Kubernetes takes, is confined, and fits the product."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from typing import Any

import kubernetes_validate
import pytest
import yaml

from infra.sam import read_sam
from local_runtime.cli.environment import SECRETS
from local_runtime.settings import PROJECT_ROOT
from tests.support.chart import CHART, NAMESPACE, RELEASE, ROLES, Manifest, helm, of_kind, pods, render

LEAST: dict[str, Any] = {"image": {"repository": "registry.example.org/scoreboard"}, "existingSecret": "scoreboard"}
MOST: dict[str, Any] = {
    "image": {**LEAST["image"], "digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "registry"}]},
    "stores": {
        "redis": {"url": "rediss://redis.stores:6379/0", "ca": {"secret": "redis-ca"}},
        "rabbitmq": {"secret": {"name": "broker", "key": "connection_string"}, "ca": {"configMap": "ca", "key": "ca.pem"}},
        "postgresql": {"secret": {"name": "database", "key": "uri"}},
        "postgresqlOwner": {"secret": {"name": "owner"}},
    },
    "keys": {"secret": "keys"},
    "settings": {
        "RATE_LIMIT_REQUESTS": 60,
        "PUBLIC_LEADERBOARD": True,
        "SCOREBOARD_HEAD_SECONDS": 7.5,
        "OTEL_TRACES_SAMPLER": "always_on",
    },
    "extraEnv": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    "tls": {"existingSecret": "scoreboard-tls"},
    "http": {"trustedProxies": "10.244.0.0/16", "autoscaling": {"enabled": True}},
    "pod": {
        "annotations": {"a": "b"},
        "labels": {"team": "games"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "games", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    },
    "serviceAccount": {"annotations": {"a": "b"}},
    "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    "ingress": {
        "enabled": True,
        "host": "scores.example.org",
        "className": "nginx",
        "annotations": {"a": "b"},
        "tlsSecret": "scores",
    },
    "metrics": {
        "tokenSecret": "metrics",
        "podMonitor": {"enabled": True, "labels": {"a": "b"}, "tlsConfig": {"insecureSkipVerify": True}},
    },
    "networkPolicy": {
        "httpFrom": [{"namespaceSelector": {"matchLabels": {"a": "ingress"}}}],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"a": "monitoring"}}}],
        "storesTo": [{"ipBlock": {"cidr": "10.20.0.0/16"}}],
        "extraEgress": [{"ports": [{"port": 443}]}],
    },
}
FEWEST: dict[str, Any] = {
    **LEAST,
    "stores": {"postgresqlOwner": {"enabled": False}},
    "prepare": {"enabled": False},
    "pod": {"spreadOver": [], "drainSeconds": 0},
    **{name: {"enabled": False} for name in ("podDisruptionBudget", "networkPolicy")},
    "serviceAccount": {"create": False, "name": "games"},
}
ALL = {"least": LEAST, "most": MOST, "fewest": FEWEST}
OLDEST, NEWEST = "1.29", "1.37"
# Settings that the chart has values for, that the instance makes itself, and that are for AWS or for something else.
HAS_A_VALUE = {
    "SCOREBOARD_HOST",
    "SCOREBOARD_PORT",
    "SCOREBOARD_WORKERS",
    "SCOREBOARD_ROLE",
    "SCOREBOARD_DATA_DIR",
    "SCOREBOARD_TLS",
    "SCOREBOARD_TLS_CERT",
    "SCOREBOARD_TLS_KEY",
    "SCOREBOARD_INSECURE",
    "SCOREBOARD_TRUSTED_PROXIES",
    "LOG_FORMAT",
    "REDIS_CA_FILE",
    "AMQP_CA_FILE",
    "DATABASE_CA_FILE",
}
NOT_HERE = {
    "SCOREBOARD_TEMPLATE",
    "SCOREBOARD_MEMORY_MB",  # there are no private servers
    "SCOREBOARD_SECRET_ID",
    "INSTANCE_ID",
    "INSTANCE_ROLE",
    "FORMER_INSTANCE_ID",
    "BROADCAST_CHANNEL",
    "WEBSOCKET_MANAGEMENT_URL",
    "VIEWER_REQUESTS_PER_SECOND",
    "APPSYNC_EVENTS_URL",
    "APPSYNC_EVENTS_CHANNEL",
    "OFFLOAD_HOOK",
    "LOOP_HOOK",
    "METRICS_NAMESPACE",
}
DOCUMENTED = set(re.findall(r"^# ([A-Z][A-Z0-9_]*)=", (PROJECT_ROOT / "infra" / ".env.example").read_text(), re.MULTILINE))


def merged(base: Any, changes: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    return {**base, **{name: merged(base.get(name), value) for name, value in changes.items()}}


def selects(selector: Manifest, pod: Manifest) -> bool:
    return set(selector["matchLabels"].items()) <= set(pod["metadata"]["labels"].items())


def environment(pod: Manifest) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in pod["spec"]["containers"][0]["env"]}


@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_helm_finds_nothing_to_object_to(values: object) -> None:
    done = helm("lint", "--strict", str(CHART), values=values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("values", "version"), [("most", OLDEST), ("most", "1.33"), ("most", NEWEST), ("least", NEWEST), ("fewest", OLDEST)]
)
def test_kubernetes_knows_every_field(values: str, version: str) -> None:
    known = [each for each in render(ALL[values], "--kube-version", version) if each["kind"] != "PodMonitor"]
    assert {each["kind"] for each in known} >= {"Deployment", "Service"}
    for each in known:
        assert kubernetes_validate.validate(each, version, strict=True) == version


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    deployment = copy.deepcopy(of_kind(render(LEAST), "Deployment")["http"])
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


def test_an_older_kubernetes_is_refused() -> None:
    done = helm("template", RELEASE, str(CHART), "--kube-version", "1.28", values=LEAST)
    assert done.returncode != 0
    assert "incompatible with Kubernetes" in done.stderr


@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_every_pod_keeps_the_restricted_pod_security_standard(values: object) -> None:
    for pod in pods(render(values)).values():
        spec = pod["spec"]
        (container,) = spec["containers"]
        assert not {"initContainers", "hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= {"emptyDir", "projected", "secret"}
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]
        assert spec["automountServiceAccountToken"] is False
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_what_is_secret_is_in_files_alone() -> None:
    for values in (LEAST, MOST):
        for pod in pods(render(values)).values():
            for name in SECRETS:
                given = environment(pod).get(name)
                assert given is None or given == MOST["stores"]["redis"]["url"]
            assert "JWT_SIGNING_KEY_FILE" in environment(pod)
        assert all(each["kind"] != "Secret" for each in render(values))


@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_what_names_pods_finds_them(values: object) -> None:
    manifests = render(values)
    found = pods(manifests)
    for component, each in of_kind(manifests, "Deployment").items():
        assert selects(each["spec"]["selector"], found[component])
        for spread in found[component]["spec"].get("topologySpreadConstraints", ()):
            assert selects(spread["labelSelector"], found[component])
    for component, each in of_kind(manifests, "PodDisruptionBudget").items():
        assert [name for name, pod in found.items() if selects(each["spec"]["selector"], pod)] == [component]
    for component, each in of_kind(manifests, "NetworkPolicy").items():
        assert [name for name, pod in found.items() if selects(each["spec"]["podSelector"], pod)] == [component]
    service = of_kind(manifests, "Service")["http"]
    assert [name for name, pod in found.items() if selects({"matchLabels": service["spec"]["selector"]}, pod)] == ["http"]
    assert {port["targetPort"] for port in service["spec"]["ports"]} == {"http"}
    accounts = {each["metadata"]["name"] for each in of_kind(manifests, "ServiceAccount").values()} | {"games"}
    assert all(found[role]["spec"]["serviceAccountName"] in accounts for role in ROLES)


def test_an_ingress_and_an_autoscaler_name_what_is_there() -> None:
    manifests = render(MOST)
    deployment, service = of_kind(manifests, "Deployment")["http"], of_kind(manifests, "Service")["http"]
    scaled = of_kind(manifests, "HorizontalPodAutoscaler")["http"]["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", deployment["metadata"]["name"])
    assert "replicas" not in deployment["spec"], "or every upgrade would undo what the autoscaler did"
    backend = of_kind(manifests, "Ingress")["http"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


def test_one_consumer_works_and_one_stands_by() -> None:
    manifests = render(MOST)
    assert [of_kind(manifests, "Deployment")[role]["spec"]["replicas"] for role in ("consumer", "scheduler")] == [2, 2]
    assert set(of_kind(manifests, "HorizontalPodAutoscaler")) == {"http"}


def test_the_stores_are_prepared_before_anything_else_by_what_needs_nothing_of_the_release() -> None:
    manifests = render(LEAST)
    hooked = [each for each in manifests if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    hooked.sort(key=lambda each: int(each["metadata"]["annotations"]["helm.sh/hook-weight"]))
    assert [each["kind"] for each in hooked] == ["NetworkPolicy", "Job"]
    assert {each["metadata"]["annotations"]["helm.sh/hook"] for each in hooked} == {"pre-install,pre-upgrade"}
    assert "serviceAccountName" not in pods(manifests)["prepare"]["spec"], "the release's own comes later"


def test_probes_ask_for_what_the_product_answers() -> None:
    paths = {route.path for route in read_sam().manifest.http_routes}
    found = pods(render(LEAST))
    for role in ROLES:
        container = found[role]["spec"]["containers"][0]
        ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["path"] in paths
            assert ports[container[probe]["httpGet"]["port"]] == environment(found[role])["SCOREBOARD_PORT"]
        # As long as the run at the start may take, and a margin.
        assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 330
    assert found["http"]["spec"]["terminationGracePeriodSeconds"] >= 5 + 10, "the pause before SIGTERM, and what `serve` takes"


@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_every_variable_is_one_that_the_product_reads(values: object) -> None:
    for component, pod in pods(render(values)).items():
        names = set(environment(pod)) - {"NODE", "OTEL_TRACES_SAMPLER"}
        assert {name for name in names if name not in DOCUMENTED and name.removesuffix("_FILE") not in SECRETS} == set(), (
            component
        )
        mounted = {mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}
        files = [value for value in environment(pod).values() if value.startswith("/")]
        assert all(any(value == place or value.startswith(f"{place}/") for place in mounted) for value in files)


def test_settings_are_those_that_an_operator_may_choose() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    (names, _) = schema["properties"]["settings"]["propertyNames"]["anyOf"]
    assert set(names["enum"]) == DOCUMENTED - HAS_A_VALUE - NOT_HERE - set(SECRETS)


def test_what_the_documentation_installs_can_be_installed() -> None:
    section = (PROJECT_ROOT / "docs" / "operating.md").read_text().partition("## On Kubernetes\n")[2].partition("\n## ")[0]
    documented = re.search(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert documented
    made = {("scoreboard", key) for key in re.findall(r"--from-(?:file|literal)=(\w+)=", section)}
    for pod in pods(render(yaml.safe_load(documented[1]))).values():
        (volume,) = (each["projected"] for each in pod["spec"]["volumes"] if each["name"] == "secrets")
        assert {(one["secret"]["name"], one["secret"]["items"][0]["key"]) for one in volume["sources"]} == made


def test_numbers_are_written_as_people_write_them() -> None:
    variables = environment(pods(render(MOST))["http"])
    assert variables["SCOREBOARD_MAX_LOG_BYTES"] == "10485760"
    assert (variables["PUBLIC_LEADERBOARD"], variables["SCOREBOARD_HEAD_SECONDS"]) == ("true", "7.5")


def test_the_chart_is_of_the_products_version_and_the_image_of_the_charts() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == project["version"]
    image = pods(render(LEAST))["http"]["spec"]["containers"][0]["image"]
    assert image == f"registry.example.org/scoreboard:{project['version']}"
    assert pods(render(MOST))["http"]["spec"]["containers"][0]["image"].endswith(f"@sha256:{'0' * 64}")


def test_prometheus_takes_all_pods_for_one_job_of_the_rules() -> None:
    monitor = of_kind(render(MOST), "PodMonitor")[""]["spec"]
    (expression,) = monitor["selector"]["matchExpressions"]
    assert set(expression["values"]) == set(ROLES)
    (endpoint,) = monitor["podMetricsEndpoints"]
    (relabelling,) = endpoint["relabelings"]
    assert relabelling["replacement"] == f"scoreboard/{NAMESPACE}/{RELEASE}-scoreboard"
    assert (endpoint["scheme"], endpoint["authorization"]["credentials"]["name"]) == ("https", "metrics")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": {"repository": ""}}, "image.repository: name where you pushed"),
        ({"existingSecret": ""}, "stores.rabbitmq: name the Secret that holds its URL"),
        ({"existingSecret": "", "stores": MOST["stores"]}, "keys: name the Secret that holds them"),
        ({"stores": {"redis": {"url": "rediss://:hunter2@redis:6379/0"}}}, "stores.redis.url holds a password"),
        ({"stores": {"redis": {"url": "redis+sentinel://one/main/0?sentinel_password=x"}}}, "stores.redis.url holds a password"),
        ({"stores": {"redis": {"url": "rediss://redis/0", "secret": {"name": "redis"}}}}, "stores.redis: url or secret.name"),
        ({"ingress": {"enabled": True}}, "ingress.host: set the name that players use"),
        ({"ingress": {"enabled": True, "host": "a.example"}}, "http.trustedProxies: set the network of the ingress controller"),
        ({"metrics": {"podMonitor": {"enabled": True}}}, "metrics.tokenSecret: name the Secret that holds the token"),
        ({"settings": {"RATE_LIMT_REQUESTS": 5}}, "RATE_LIMT_REQUESTS"),
        ({"settings": {"DATABASE_URL": "postgresql://h/d"}}, "DATABASE_URL"),
        ({"consumer": {"autoscaling": {"enabled": True}}}, "autoscaling"),
        ({"http": {"replicas": "two"}}, "integer"),
    ],
)
def test_what_is_missing_or_misspelt_is_named(changes: object, says: str) -> None:
    done = helm("template", RELEASE, str(CHART), values=merged(LEAST, changes))
    assert done.returncode != 0
    assert says in done.stderr
    assert "hunter2" not in done.stderr
