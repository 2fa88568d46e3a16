"""Dashboards: their documents are kept; nothing draws them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_emulator.arns import partition
from samjhadoo_emulator.cloudwatch.base import CloudWatchBase
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.pagination import CLOUDWATCH
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from datetime import datetime

    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
PAGE = 1000


@dataclass(frozen=True)
class Dashboard:
    """A dashboard's document."""

    body: str
    modified_at: datetime


class Dashboards(CloudWatchBase):
    """Dashboards by name."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.dashboards: dict[str, Dashboard] = {}

    @operation("PutDashboard")
    async def put_dashboard(self, params: Params) -> Result:
        name, body = params["DashboardName"], params["DashboardBody"]
        if not _NAME.fullmatch(name):
            raise AwsError(
                "InvalidParameterValue",
                f"The value {name} for parameter DashboardName is invalid. "
                "It can contain A-Z, a-z, 0-9, hyphens and underscores, 255 characters at most.",
            )
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise AwsError("InvalidParameterInput", "The field DashboardBody must be a valid JSON object")
        if name not in self.dashboards:
            self.tags[self._arn(name)] = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
        self.dashboards[name] = Dashboard(body, self.clock.now())
        return {"DashboardValidationMessages": []}

    @operation("GetDashboard")
    async def get_dashboard(self, params: Params) -> Result:
        name = params["DashboardName"]
        if name not in self.dashboards:
            raise AwsError("ResourceNotFound", f"Dashboard {name} does not exist", status=404)
        arn = self._arn(name)
        return {"DashboardName": name, "DashboardArn": arn, "DashboardBody": self.dashboards[name].body}

    @operation("ListDashboards")
    async def list_dashboards(self, params: Params) -> Result:
        entries = [
            {
                "DashboardName": name,
                "DashboardArn": self._arn(name),
                "LastModified": board.modified_at,
                "Size": len(board.body.encode()),
            }
            for name, board in sorted(self.dashboards.items())
            if name.startswith(params.get("DashboardNamePrefix", ""))
        ]
        return CLOUDWATCH.answer("DashboardEntries", entries, params, default=PAGE)

    @operation("DeleteDashboards")
    async def delete_dashboards(self, params: Params) -> Result:
        missing = [name for name in params["DashboardNames"] if name not in self.dashboards]
        if missing:
            listed = ", ".join(missing)
            raise AwsError("ResourceNotFound", f"Dashboards {listed} do not exist", status=404)
        for name in params["DashboardNames"]:
            self.dashboards.pop(name, None)
            self.tags.pop(self._arn(name), None)
        return {}

    def is_taggable(self, arn: str) -> bool:
        """Return whether an ARN is a dashboard's, or another resource's with tags."""
        return any(arn == self._arn(name) for name in self.dashboards) or super().is_taggable(arn)

    def _arn(self, name: str) -> str:
        return f"arn:{partition(self.region)}:cloudwatch::{self.account}:dashboard/{name}"
