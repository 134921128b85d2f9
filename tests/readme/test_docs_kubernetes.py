"""What is deployed in Kubernetes: its objects fit each other, the image and what a server needs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proxy.app import LAST_MOMENTS
from proxy.config.settings import SwitchSettings
from tests.readme.deploy_page import DEPLOY, FINAL, IMAGE, LISTENING, OBJECTS, PAGE, USER, checked, last, written

DEPLOYMENT: dict[str, Any] = OBJECTS["Deployment"]["spec"]
POD: dict[str, Any] = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = POD["containers"]
CONFIG: str = OBJECTS["ConfigMap"]["data"]["config.toml"]
SECRETS: dict[str, str] = OBJECTS["Secret"]["stringData"]
NAMES = {"http": "SWITCH", "admin": "ADMIN"}
PORTS: dict[str, int] = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
ENVIRONMENT = {**LISTENING, **{each["name"]: each["value"] for each in CONTAINER["env"]}}


def test_the_objects_are_those_of_one_deployment() -> None:
    assert {kind: each["apiVersion"] for kind, each in OBJECTS.items()} == {
        "ConfigMap": "v1",
        "Secret": "v1",
        "Deployment": "apps/v1",
        "Service": "v1",
        "PodDisruptionBudget": "policy/v1",
    }
    assert {each["metadata"]["name"] for each in OBJECTS.values()} == {"tanima"}
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    assert text.count("\n---\n") == len(OBJECTS) - 1


def test_whoever_selects_pods_selects_these() -> None:
    labels: Mapping[str, str] = DEPLOYMENT["template"]["metadata"]["labels"]
    (spread,) = POD["topologySpreadConstraints"]
    selectors = [
        DEPLOYMENT["selector"]["matchLabels"],
        OBJECTS["Service"]["spec"]["selector"],
        OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() and selector for selector in selectors)
    assert 0 < OBJECTS["PodDisruptionBudget"]["spec"]["minAvailable"] < DEPLOYMENT["replicas"]


def test_ports_are_named_where_the_server_listens_and_only_that_for_calls_is_in_the_service() -> None:
    listens = {name: int(ENVIRONMENT[f"TANIMA_{key}__LISTEN"].rpartition(":")[2]) for name, key in NAMES.items()}
    assert listens == PORTS
    assert all(ENVIRONMENT[f"TANIMA_{key}__LISTEN"].startswith("0.0.0.0:") for key in NAMES.values())
    (port,) = OBJECTS["Service"]["spec"]["ports"]
    assert port["targetPort"] == "http"
    assert f"EXPOSE {PORTS['http']}" in [" ".join(each) for each in FINAL]


def test_probes_ask_the_admin_port_whether_it_lives_and_whether_it_is_ready() -> None:
    alive, ready = CONTAINER["livenessProbe"], CONTAINER["readinessProbe"]
    assert alive["httpGet"] == {"path": "/livez", "port": "admin"}
    assert ready["httpGet"] == {"path": "/readyz", "port": "admin"}
    assert "'/livez'" in last("HEALTHCHECK"), "as in the image"
    after = alive["periodSeconds"] * alive["failureThreshold"]
    assert f"stuck is restarted after {after} s" in " ".join(PAGE.split())


def test_a_server_that_is_replaced_has_the_time_to_answer_its_calls() -> None:
    _, pause = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    grace = POD["terminationGracePeriodSeconds"]
    assert grace > float(pause) + SwitchSettings.model_fields["deadline"].default + LAST_MOMENTS + 5
    assert f"is given {pause} s" in PAGE
    assert f"is ended after {grace} s at the latest" in " ".join(PAGE.split())
    assert DEPLOYMENT["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_it_may_no_more_than_the_restricted_standard_allows() -> None:
    pod, container = POD["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert {pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]} == {USER}
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert POD["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)


def test_what_is_mounted_is_there_and_is_where_the_configuration_looks_for_it() -> None:
    volumes = {volume.pop("name"): volume for volume in map(dict, POD["volumes"])}
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert set(volumes) == set(mounts)
    assert volumes["config"] == {"configMap": {"name": OBJECTS["ConfigMap"]["metadata"]["name"]}}
    assert volumes["secrets"]["secret"]["secretName"] == OBJECTS["Secret"]["metadata"]["name"]
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440, "nobody else can read them"
    assert not [mount for mount in CONTAINER["volumeMounts"] if "subPath" in mount], "a change would not get there"
    assert CONTAINER["args"][-1] == f"{mounts['config']}/config.toml"
    files = re.findall(r'_file *= "([^"]+)"', CONFIG)
    assert sorted(files) == sorted(f"{mounts['secrets']}/{name}" for name in SECRETS)
    assert f'"{mounts["known"]}/' in CONFIG


def test_the_configuration_is_good_once_the_secrets_are_and_not_before(tmp_path: Path) -> None:
    file = written(CONFIG, SECRETS, tmp_path)
    told = checked(file, ENVIRONMENT).splitlines()
    wrong = {"switch.access.tokens.1", "cache.snapshot_key", "admin.token"}
    assert {line.partition(":")[0] for line in told} == wrong
    file = written(CONFIG, dict.fromkeys(SECRETS, "made-by-openssl-rand"), tmp_path)
    assert checked(file, ENVIRONMENT) == "config.toml: good. Sources: 1, rules: 1.\n"


def test_a_service_of_our_name_sets_nothing_in_a_pod_that_starts_after_it() -> None:
    assert POD["enableServiceLinks"] is False, "TANIMA_PORT and seven more would be refused as settings"


def test_the_image_and_the_command_are_ours() -> None:
    assert CONTAINER["image"] == IMAGE
    assert " ".join(CONTAINER["args"]) == "serve --config /etc/tanima/config.toml"
    assert "cpu" not in CONTAINER["resources"]["limits"]
