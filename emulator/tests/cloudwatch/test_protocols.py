"""Every protocol in which clients speak to CloudWatch."""

from __future__ import annotations

import gzip
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

PROTOCOLS = ["smithy-rpc-v2-cbor", "json", "query"]
CREDENTIAL = "test/20260101/ap-south-1/monitoring/aws4_request"
AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host, Signature=x"


@pytest.fixture(scope="module")
def model() -> Any:
    return botocore.session.get_session().get_service_model("cloudwatch")


@pytest.fixture
def speak(noop_emulator: Any, model: Any, protocol: str) -> Any:
    """Call an operation in a protocol; return the status and the parsed response."""

    def call(name: str, *, compress: bool = False, **params: Any) -> tuple[int, Any]:
        operation = model.operation_model(name)
        request = create_serializer(protocol).serialize_to_request(params, operation)
        body = request["body"]
        if isinstance(body, dict):
            body = urlencode(body)
        body = body.encode() if isinstance(body, str) else body
        headers = {**request["headers"], "Authorization": AUTHORIZATION}
        if compress:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        url = noop_emulator.url + request["url_path"]
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as response:
                status, answer, head = response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            status, answer, head = error.code, error.read(), error.headers
            error.close()
        lower = {key.lower(): value for key, value in head.items()}
        document = {"status_code": status, "headers": lower, "body": answer}
        return status, create_parser(protocol).parse(document, operation.output_shape)

    return call


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compress", [False, True])
def test_a_metric_travels_there_and_back(
    noop_emulator: Any, speak: Any, protocol: str, compress: bool
) -> None:
    now = noop_emulator.ask("GET", "health")["clock"]["now"] // 60 * 60
    namespace = f"Protocols/{protocol}/{compress}"
    datum = {
        "MetricName": "m",
        "Value": 1.5,
        "Timestamp": datetime.fromtimestamp(now - 60, UTC),
        "Dimensions": [{"Name": "A", "Value": "b & c"}],
    }
    status, _ = speak("PutMetricData", compress=compress, Namespace=namespace, MetricData=[datum])
    assert status == 200
    metric = {"Namespace": namespace, "MetricName": "m", "Dimensions": datum["Dimensions"]}
    status, answer = speak(
        "GetMetricData",
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=datetime.fromtimestamp(now - 300, UTC),
        EndTime=datetime.fromtimestamp(now, UTC),
    )
    assert status == 200
    result = answer["MetricDataResults"][0]
    assert (result["Id"], result["Label"], result["Values"]) == ("q", "m", [1.5])
    assert result["Timestamps"] == [datum["Timestamp"]]
    assert speak("ListMetrics", Namespace=namespace)[1]["Metrics"] == [metric]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refusal_has_the_code_that_the_query_protocol_gave_it(speak: Any, protocol: str) -> None:
    status, answer = speak("PutMetricData", Namespace="Protocols", MetricData=[{"MetricName": "m"}])
    assert status == 400
    assert answer["Error"]["Code"] == "MissingParameter"
    assert "At least one of the parameters" in answer["Error"]["Message"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dashboard_is_kept_in_every_protocol(speak: Any, protocol: str) -> None:
    name = f"board-{protocol}"
    assert speak("PutDashboard", DashboardName=name, DashboardBody='{"widgets": []}')[0] == 200
    names = [each["DashboardName"] for each in speak("ListDashboards")[1]["DashboardEntries"]]
    assert name in names


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_operation_that_is_not_served_is_refused_by_name_in_every_protocol(
    speak: Any, protocol: str
) -> None:
    status, answer = speak("PutInsightRule", RuleName="r", RuleDefinition="{}")
    assert (status, answer["Error"]["Code"]) == (501, "NotImplemented")
    assert "PutInsightRule" in answer["Error"]["Message"]


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor"])
def test_an_unknown_protocol_is_refused(noop_emulator: Any, speak: Any) -> None:
    request = urllib.request.Request(
        f"{noop_emulator.url}/service/GraniteServiceVersion20100801/operation/ListMetrics",
        b"{}",
        {"smithy-protocol": "rpc-v2-json", "Authorization": AUTHORIZATION},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    assert b"UnknownOperationException" in refused.value.read()
    refused.value.close()
