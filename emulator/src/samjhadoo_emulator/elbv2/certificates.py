"""Operations on the certificates of HTTPS listeners, and on security policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.certificates.store import CertificateStore
from samjhadoo_emulator.elbv2 import ssl_policies
from samjhadoo_emulator.elbv2.base import Elbv2Base
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_error
from samjhadoo_emulator.pagination import ELBV2
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.elbv2.model import Listener
    from samjhadoo_emulator.service import Params, Result


class Certificates(Elbv2Base):
    """A listener has a default certificate and further ones, chosen by the name that the client asks for."""

    @operation("AddListenerCertificates")
    async def add_listener_certificates(self, params: Params) -> Result:
        listener, given = self._secure_listener(params["ListenerArn"]), _arns(params)
        added = [arn for arn in dict.fromkeys(given) if arn not in listener.more_certificates]
        balancer = self.load_balancer(listener.load_balancer)
        amount = sum(len(each.more_certificates) for each in balancer.listeners.values())
        limit = "certificates-per-application-load-balancer"
        self.check_limit(limit, amount + len(added), "TooManyCertificates")
        for arn in given:
            await self._obtain(arn)
        listener.more_certificates = list(dict.fromkeys([*listener.more_certificates, *added]))
        await self.plane.sync()
        return {"Certificates": [{"CertificateArn": arn, "IsDefault": False} for arn in given]}

    @operation("RemoveListenerCertificates")
    async def remove_listener_certificates(self, params: Params) -> Result:
        listener, given = self._secure_listener(params["ListenerArn"]), set(_arns(params))
        default = {each["CertificateArn"] for each in listener.certificates}
        # "If the default certificate is also in the certificate list", it can be removed from there.
        if given & default - set(listener.more_certificates):
            raise AwsError("OperationNotPermitted", "Default certificate cannot be removed from the listener")
        listener.more_certificates = [arn for arn in listener.more_certificates if arn not in given]
        await self.plane.sync()
        return {}

    @operation("DescribeListenerCertificates")
    async def describe_listener_certificates(self, params: Params) -> Result:
        listener = self.listener(params["ListenerArn"])
        default = [{**each, "IsDefault": True} for each in listener.certificates]
        further = [{"CertificateArn": arn, "IsDefault": False} for arn in listener.more_certificates]
        return ELBV2.answer("Certificates", [*default, *further], params)

    @operation("DescribeSSLPolicies")
    async def describe_ssl_policies(self, params: Params) -> Result:
        names = params.get("Names") or list(ssl_policies.policies())
        kind = params.get("LoadBalancerType") or ""
        found = [ssl_policies.described(name) for name in names]
        return ELBV2.answer(
            "SslPolicies",
            [each for each in found if not kind or kind in each["SupportedLoadBalancerTypes"]],
            params,
        )

    async def secure(self, params: Params) -> None:
        """Check what a request says about TLS, and have its certificate ready.

        Raises:
            AwsError: The certificate or the policy does not exist or cannot be used.
        """
        given = params.get("Certificates") or []
        if len(given) > 1:
            raise validation_error("Only one certificate can be specified: the default certificate")
        if (params.get("MutualAuthentication") or {}).get("Mode", "off") != "off":
            raise not_implemented("The emulator's load balancers do not verify certificates of clients.")
        if params.get("SslPolicy"):
            ssl_policies.check(params["SslPolicy"])
        for each in given:
            await self._obtain(each["CertificateArn"])

    async def _obtain(self, arn: str) -> None:
        await CertificateStore.of(self.host).obtain(arn, self.aws)

    def _secure_listener(self, arn: str) -> Listener:
        listener = self.listener(arn)
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
