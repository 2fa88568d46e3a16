"""What clients may send and must get in Smithy's RPC v2 CBOR protocol, beyond what botocore itself sends."""

from __future__ import annotations

from datetime import UTC, datetime

import cbor2
import pytest

from samjhadoo_emulator import cbor, wire
from samjhadoo_emulator.errors import AwsError

PUT = wire.operation_model("cloudwatch", "PutMetricData")
ALARMS = wire.operation_model("cloudwatch", "DescribeAlarms")


def test_members_that_are_null_undefined_or_unknown_are_absent():
    body = cbor2.dumps({"Namespace": "a", "EntityMetricData": cbor2.undefined, "MetricData": None, "New": 1})
    assert cbor.parse(PUT, body) == {"Namespace": "a"}


def test_numbers_are_read_as_what_their_shape_is():
    body = cbor2.dumps({"MetricData": [{"MetricName": "m", "Timestamp": 60, "Value": 2}]})
    (datum,) = cbor.parse(PUT, body)["MetricData"]
    assert datum["Timestamp"] == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert isinstance(datum["Value"], float)


def test_whole_numbers_of_a_double_are_written_as_doubles_and_times_with_their_tag():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    alarm = {"Threshold": 5, "Period": 60, "StateUpdatedTimestamp": moment}
    body = cbor.serialise(ALARMS, {"MetricAlarms": [alarm]})
    (written,) = cbor2.loads(body)["MetricAlarms"]
    assert written == alarm
    assert isinstance(written["Threshold"], float)


@pytest.mark.parametrize("body", [b"\xa1", cbor2.dumps([1]), cbor2.dumps({"MetricData": "no list"})])
def test_a_body_of_another_shape_is_refused(body: bytes):
    with pytest.raises(AwsError) as refused:
        wire.parse(
            "cloudwatch",
            "PutMetricData",
            method="POST",
            path="/",
            headers={},
            body=body,
            protocol=cbor.PROTOCOL,
        )
    assert refused.value.code == "SerializationException"
