"""What the parts of the service share: metrics, alarms, history, tags."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudwatch.store import Store
from samjhadoo_emulator.service import LiveService

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm
    from samjhadoo_emulator.service import AwsApi, Host

HISTORY_KEPT = 1000
"""Items of one alarm's history; AWS keeps them for 30 days."""


class CloudWatchBase(LiveService):
    """A region's metrics and alarms; operations raise AwsError in AWS's words."""

    name: ClassVar[str] = "cloudwatch"

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.store = Store()
        self.alarms: dict[str, Alarm] = {}
        self.history: dict[str, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=HISTORY_KEPT))
        self.tags: dict[str, dict[str, str]] = {}

    def alarm_arn(self, name: str) -> str:
        """Return an alarm's ARN."""
        return f"{self.home().prefix}alarm:{name}"

    def is_taggable(self, _arn: str) -> bool:
        """Return whether an ARN is that of a resource with tags."""
        return False
