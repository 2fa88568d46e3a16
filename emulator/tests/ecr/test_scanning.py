"""Image scanning: the life of scans, with findings that somebody has set."""

from __future__ import annotations

import json
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from samjhadoo_emulator.testing import CONTROL_HEADERS


def set_findings(url: str, document: Any) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return urllib3.request("POST", f"{url}/_emulator/ecr/findings", body=body, headers=CONTROL_HEADERS)


FOUND = {
    "name": "CVE-2026-1",
    "severity": "CRITICAL",
    "attributes": [{"key": "package_name", "value": "zlib"}],
}


def test_a_deploy_gate_on_findings_can_be_rehearsed(noop_emulator: Any) -> None:
    ecr, name = noop_emulator.client("ecr"), "scanned"
    ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
    image = {"imageTag": "v1"}
    ecr.put_image(repositoryName=name, imageManifest=index(), imageTag="list")
    digest = push(ecr, name, "v1")
    status = ecr.describe_image_scan_findings(repositoryName=name, imageId=image)["imageScanStatus"]
    assert status["status"] in ("IN_PROGRESS", "COMPLETE")
    assert status["description"].startswith("The emulator scans nothing")
    ecr.get_waiter("image_scan_complete").wait(
        repositoryName=name, imageId=image, WaiterConfig={"Delay": 0, "MaxAttempts": 1000}
    )
    answered = set_findings(noop_emulator.url, {"repository": name, "image": digest, "findings": [FOUND]})
    assert json.loads(answered.data) == {"repository": name, "image": digest, "findings": 1}
    scan = ecr.describe_image_scan_findings(repositoryName=name, imageId=image)
    assert scan["imageScanFindings"]["findings"] == [FOUND]
    assert scan["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1}
    assert scan["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    details = ecr.describe_images(repositoryName=name, imageIds=[image])["imageDetails"]
    assert details[0]["imageScanFindingsSummary"]["findingSeverityCounts"] == {"CRITICAL": 1}
    with pytest.raises(ClientError, match="The scan quota per image has been exceeded. Wait and try again."):
        ecr.start_image_scan(repositoryName=name, imageId=image)
    with pytest.raises(ClientError, match="UnsupportedImageType"):
        ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "list"})


def test_an_image_that_was_not_scanned_has_no_findings_until_it_is(ecr: Any, registry: Any) -> None:
    name = registry.repository
    digest = registry.image("v1", b"layer")
    with pytest.raises(ClientError) as caught:
        ecr.describe_image_scan_findings(repositoryName=name, imageId={"imageTag": "v1"})
    assert caught.value.response["Error"] == {
        "Code": "ScanNotFoundException",
        "Message": "Image scan does not exist for the image with '{imageDigest:'null', imageTag:'v1'}' in "
        f"the repository with name '{name}' in the registry with id '000000000000'",
    }
    started = ecr.start_image_scan(repositoryName=name, imageId={"imageDigest": digest})
    assert started["imageScanStatus"]["status"] == "IN_PROGRESS"
    scan = ecr.describe_image_scan_findings(repositoryName=name, imageId={"imageDigest": digest})
    assert "imageScanFindings" not in scan


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"{", "truncated"),
        ({"findings": [{"name": "x", "severity": "BAD"}]}, "severity"),
        ({"findings": [], "other": 1}, "other"),
        ({"findings": [], "image": "v1"}, "image needs repository"),
    ],
)
def test_findings_that_cannot_be_are_refused(edge_url: str, document: Any, words: str) -> None:
    answer = set_findings(edge_url, document)
    assert answer.status == 400
    assert words in json.loads(answer.data)["message"]


def index() -> str:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [],
        }
    )


def push(ecr: Any, name: str, tag: str) -> str:
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=1, layerPartBlob=b"{}"
    )
    digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    ecr.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest])
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2}
    kind = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    manifest = json.dumps({**kind, "config": config, "layers": []})
    return str(
        ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=tag)["image"]["imageId"][
            "imageDigest"
        ]
    )
