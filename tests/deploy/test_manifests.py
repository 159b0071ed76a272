"""The files of `deploy/`: read as their programs read them, as far as that needs no engine and no cluster."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from serving import TESTS

from model_service.config_file import load_config

DEPLOY = TESTS.parent / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("[!ck]*.yaml"))  # neither config.yaml nor kustomization.yaml
#: Of Kubernetes; their schemas come with the package.
VERSIONS = ("1.33", "1.37")


def read(path: str | Path) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / path).read_text()))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_manifests_keep_the_schemas_of_kubernetes(path, version):
    for document in read(path):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_manifest_that_breaks_a_schema_is_refused():
    (document,) = read("kubernetes/deployment.yaml")
    document["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSecond"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


@pytest.mark.parametrize("path", sorted((DEPLOY / "kserve").glob("*.yaml")), ids=lambda path: path.stem)
def test_pods_of_kserve_keep_the_schema_of_pods(path):
    """KServe's own documents have no schema here; what they hold of pods has."""
    for document in read(path):
        assert re.fullmatch(r"serving\.kserve\.io/v1(alpha|beta)1", document["apiVersion"])
        spec = document["spec"].get("predictor", document["spec"])
        if "containers" in spec:
            pod = {"containers": spec["containers"], "volumes": spec["volumes"]}
            manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}
            kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)
            check_container(spec["containers"][0])


def test_kustomize_lists_every_manifest_and_the_configuration():
    (kustomization,) = read("kubernetes/kustomization.yaml")
    assert sorted(kustomization["resources"]) == [path.name for path in KUBERNETES]
    assert kustomization["configMapGenerator"] == [{"name": "model-service", "files": ["config.yaml"]}]
    config = load_config(DEPLOY / "kubernetes/config.yaml", {})
    assert len(config.models) == 5
    if shutil.which("kubectl"):
        command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes")]
        built = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        kinds = [document["kind"] for document in yaml.safe_load_all(built)]
        assert sorted(kinds) == sorted([*(read(path)[0]["kind"] for path in KUBERNETES), "ConfigMap"])


def test_the_deployment_is_safe_and_asks_for_health_where_it_is():
    (deployment,) = read("kubernetes/deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    check_container(container)
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"/etc/model-service", "/tmp", "/var/lib/model-service"}
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = load_config(DEPLOY / "kubernetes/config.yaml", {}).server.shutdown_timeout_s
    assert pod["terminationGracePeriodSeconds"] > pause + grace
    names = {read(f"kubernetes/{name}.yaml")[0]["metadata"]["name"] for name in ("service", "autoscaler")}
    assert names == {deployment["metadata"]["name"]}
    assert read("kubernetes/autoscaler.yaml")[0]["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    for name in ("service", "disruption-budget"):
        selector = read(f"kubernetes/{name}.yaml")[0]["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels


def check_container(container: dict[str, Any]) -> None:
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"]["drop"] == ["ALL"]
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["ports"][0]["containerPort"] == 8080
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_the_compose_file_has_a_service_that_waits_for_its_database():
    (compose,) = read("compose.yaml")
    service, database = compose["services"]["service"], compose["services"]["database"]
    assert service["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert database["healthcheck"]["test"][0] == "CMD"
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert "postgresql" in service["build"]["args"]["EXTRAS"].split(",")
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    named = {volume.partition(":")[0] for each in (service, database) for volume in each["volumes"]}
    assert named == set(compose["volumes"])
    password = "${POSTGRES_PASSWORD:?set a password}"
    assert service["environment"]["PGPASSWORD"] == database["environment"]["POSTGRES_PASSWORD"] == password


def test_the_unit_names_a_command_that_there_is(tmp_path):
    text = (DEPLOY / "systemd/model-service.service").read_text()
    assert re.findall(r"^ExecStart=\S+/model-service --config \S+ serve$", text, re.MULTILINE)
    for line in ("DynamicUser=yes", "ProtectSystem=strict", "StateDirectory=model-service", "KillMode=mixed"):
        assert line in text.splitlines()
    if shutil.which("systemd-analyze"):
        # The command must be there to be verified; `true` is, everywhere.
        unit = tmp_path / "model-service.service"
        unit.write_text(re.sub(r"^(ExecStart(?:Pre)?)=.*$", r"\1=/bin/true", text, flags=re.MULTILINE))
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
