"""Operations on the certificates of listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2.base import Elbv2Base
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import ELBV2
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.elbv2.model import Listener
    from samjhadoo_emulator.service import Params, Result


class Certificates(Elbv2Base):
    """Certificates that HTTPS listeners have besides their default one."""

    @operation("DescribeListenerCertificates")
    async def describe_listener_certificates(self, params: Params) -> Result:
        listener = self.listener(params["ListenerArn"])
        shown = [{**each, "IsDefault": True} for each in listener.certificates]
        shown += [{"CertificateArn": arn, "IsDefault": False} for arn in listener.more_certificates]
        return ELBV2.answer("Certificates", shown, params)

    @operation("AddListenerCertificates")
    async def add_listener_certificates(self, params: Params) -> Result:
        listener, given = self._secured(params), _arns(params)
        known = {*listener.more_certificates, *(each["CertificateArn"] for each in listener.certificates)}
        added = [arn for arn in dict.fromkeys(given) if arn not in known]
        amount = sum(
            len(each.more_certificates)
            for each in self.load_balancer(listener.load_balancer).listeners.values()
        )
        limit = "certificates-per-application-load-balancer"
        self.check_limit(limit, amount + len(added), "TooManyCertificates")
        listener.more_certificates += added
        shown = [{"CertificateArn": arn, "IsDefault": arn not in listener.more_certificates} for arn in given]
        return {"Certificates": shown}

    @operation("RemoveListenerCertificates")
    async def remove_listener_certificates(self, params: Params) -> Result:
        listener, given = self._secured(params), _arns(params)
        if any(each["CertificateArn"] in given for each in listener.certificates):
            raise AwsError("OperationNotPermitted", "Default certificate cannot be removed from the listener")
        listener.more_certificates = [arn for arn in listener.more_certificates if arn not in given]
        return {}

    def _secured(self, params: Params) -> Listener:
        listener = self.listener(params["ListenerArn"])
        if listener.protocol != "HTTPS":
            raise validation_error("Certificates can only be added to HTTPS or TLS listeners")
        return listener


def _arns(params: Params) -> list[str]:
    """Return the certificates that a request names.

    Raises:
        AwsError: One has no ARN, or says whether it is the default.
    """
    given = params["Certificates"]
    if any("IsDefault" in each for each in given):
        raise validation_error("IsDefault cannot be specified for a certificate")
    if not all(each.get("CertificateArn") for each in given):
        raise validation_error("A certificate ARN must be specified")
    return [each["CertificateArn"] for each in given]
