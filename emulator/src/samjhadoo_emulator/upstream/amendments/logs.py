"""CloudWatch Logs: moto adds a metric filter again that is put again, and changes no group's key."""

from __future__ import annotations

from typing import Any


def amend() -> None:
    """Let Logs replace metric filters, and change the keys of groups."""
    from moto.logs.metric_filters import MetricFilters
    from moto.logs.responses import LogsResponse

    MetricFilters.add_filter = _replacing(MetricFilters.add_filter)
    LogsResponse.associate_kms_key = _associate_kms_key
    LogsResponse.disassociate_kms_key = _associate_kms_key


def _replacing(add: Any) -> Any:
    def add_filter(
        filters: Any, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: Any
    ) -> None:
        filters.delete_filter(filter_name, log_group_name)
        add(filters, filter_name, filter_pattern, log_group_name, metric_transformations)

    return add_filter


def _associate_kms_key(response: Any) -> str:
    """Give a group the key that a request names; none if it names none, which is how groups lose theirs."""
    group = response.logs_backend._find_log_group(response._get_param("logGroupName"))  # noqa: SLF001
    group.kms_key_id = response._get_param("kmsKeyId")  # noqa: SLF001
    return ""
