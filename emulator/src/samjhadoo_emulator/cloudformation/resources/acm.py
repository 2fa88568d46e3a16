"""AWS Certificate Manager: certificates, validated by DNS records that the stack makes in its own zone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.resources.api_type import ApiType, removed_tags, tag_list, tags
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_VALIDATION: Final = "DomainValidationOptions"
_FAILED: Final = frozenset({"FAILED", "VALIDATION_TIMED_OUT", "REVOKED"})
_OPTIONS: Final = {
    "CertificateExport": "Export",
    "CertificateTransparencyLoggingPreference": "CertificateTransparencyLoggingPreference",
}


class Certificate(ApiType):
    """A certificate that AWS issues; `Ref` is its ARN. The stack waits until its domains are validated."""

    name = "AWS::CertificateManager::Certificate"
    service = "acm"
    creation, deletion = "RequestCertificate", "DeleteCertificate"
    made_with = frozenset(_OPTIONS)
    unsupported = frozenset({"Id"})
    fixed = frozenset({"CertificateTransparencyLoggingPreference", "ValidationMethod"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"CertificateArn": request.id}

    async def make(self, request: Request) -> Resource:
        others = {name: value for name, value in request.properties.items() if name != _VALIDATION}
        params = self.given(replace(request, properties=others))
        wanted = request.properties.get(_VALIDATION) or []
        by_mail = [
            {"DomainName": each["DomainName"], "ValidationDomain": each["ValidationDomain"]}
            for each in wanted
            if "ValidationDomain" in each
        ]
        if by_mail:
            params[_VALIDATION] = by_mail
        options = {
            member: request.properties[name]
            for name, member in _OPTIONS.items()
            if name in request.properties
        }
        if options:
            params["Options"] = options
        arn = (await self.call(request, self.creation, **params))["CertificateArn"]
        return Resource(arn, {"CertificateArn": arn})

    async def settle(self, request: Request) -> Resource:
        """Make the records that prove the ownership of domains, and wait until the certificate is issued."""
        zones = {
            each["DomainName"]: each["HostedZoneId"]
            for each in request.properties.get(_VALIDATION) or ()
            if "HostedZoneId" in each
        }
        proven: set[str] = set()
        return await wait_until(request, lambda: self._issued(request, zones, proven))

    async def _issued(self, request: Request, zones: dict[str, str], proven: set[str]) -> Resource | None:
        found = await self._found(request)
        if found["Status"] in _FAILED:
            reason = found.get("FailureReason", found["Status"])
            raise AwsError("NotStabilized", f"Certificate request failed: {reason}")
        for each in found.get(_VALIDATION) or ():
            domain, record = each["DomainName"], each.get("ResourceRecord")
            if record and domain in zones and domain not in proven:
                await self._prove(request, zones[domain], record)
                proven.add(domain)
        issued = found["Status"] == "ISSUED" and zones.keys() <= proven
        return Resource(request.id, request.attributes) if issued else None

    async def _prove(self, request: Request, zone: str, record: dict[str, str]) -> None:
        records = {
            "Name": record["Name"],
            "Type": record["Type"],
            "TTL": 300,
            "ResourceRecords": [{"Value": record["Value"]}],
        }
        changes = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": records}]}
        await request.aws.call("route53", "ChangeResourceRecordSets", HostedZoneId=zone, ChangeBatch=changes)

    async def put_tags(self, request: Request) -> None:
        if removed := removed_tags(request):
            keys = [{"Key": key} for key in removed]
            await self.call(request, "RemoveTagsFromCertificate", **self.identity(request), Tags=keys)
        if found := tags(request):
            listed = tag_list(found)
            await self.call(request, "AddTagsToCertificate", **self.identity(request), Tags=listed)

    async def _found(self, request: Request) -> dict[str, Any]:
        answer = await self.call(request, "DescribeCertificate", **self.identity(request))
        found: dict[str, Any] = answer["Certificate"]
        return found

    async def describe(self, request: Request) -> Properties | None:
        found = in_schema(self.name, await self._found(request))
        own = {found["DomainName"], *(request.properties.get("SubjectAlternativeNames") or ())}
        names = [each for each in found.get("SubjectAlternativeNames") or () if each in own]
        wanted = request.properties.get("SubjectAlternativeNames") or ()
        found["SubjectAlternativeNames"] = [each for each in names if each in wanted] or None
        found.pop(_VALIDATION, None)
        return found


TYPES = (Certificate(),)
