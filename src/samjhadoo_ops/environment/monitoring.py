"""Settings of alarms, service level objectives and notifications."""

from __future__ import annotations

from samjhadoo_ops.environment.secret import SecretRef  # noqa: TC001
from samjhadoo_ops.environment.section import Section

# msgspec reads the annotations, so that they are imported at run time.
from samjhadoo_ops.environment.value_types import AlarmTime, Email, Percent, Span, UrlOrNone  # noqa: TC001


class UsageAlarm(Section, frozen=True, kw_only=True):
    """An alarm that fires above a percentage."""

    percent: Percent
    time: AlarmTime


class LatencyAlarm(Section, frozen=True, kw_only=True):
    """An alarm that fires when a percentile of the latency is above a threshold."""

    threshold: Span
    percentile: Percent
    time: AlarmTime


class Alarms(Section, frozen=True, kw_only=True):
    """CloudWatch alarms (5.1)."""

    cpu: UsageAlarm
    memory: UsageAlarm
    errors: UsageAlarm
    latency: LatencyAlarm


class Slo(Section, frozen=True, kw_only=True):
    """Service level objectives (5.2)."""

    availability_percent: Percent
    latency: Span
    latency_percentile: Percent
    error_rate_percent: Percent
    period: Span


class Notifications(Section, frozen=True, kw_only=True):
    """Who is notified, and where (7)."""

    slack_channel: str
    slack_webhook: SecretRef | None = None
    email: list[Email]
    sender: Email
    topic: str
    customer_email: Email
    status_page: UrlOrNone = ""
    status_page_token: SecretRef | None = None
