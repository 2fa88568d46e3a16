"""Operations on listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2 import actions, attributes, ssl_policies
from samjhadoo_emulator.elbv2.certificates import Certificates
from samjhadoo_emulator.elbv2.model import DEFAULT_PRIORITY, Listener, LoadBalancer, Rule
from samjhadoo_emulator.elbv2.names import listener_arn, rule_arn
from samjhadoo_emulator.elbv2.tags import checked
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import ELBV2
from samjhadoo_emulator.processes import free_port
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result

PROTOCOLS = ("HTTP", "HTTPS")
PORTS_TRIED = 3


class Listeners(Certificates):
    """Listeners bind their port on loopback, or a free one when it is taken; see `bound_ports`."""

    def bound_ports(self) -> list[dict[str, Any]]:
        """Return where each listener really listens."""
        return [
            {
                "load_balancer": self.state.load_balancers[listener.load_balancer].name,
                "listener_arn": listener.arn,
                "port": listener.port,
                "bound_port": listener.bound_port,
                "protocol": listener.protocol,
            }
            for listener in self.state.listeners()
        ]

    @operation("CreateListener")
    async def create_listener(self, params: Params) -> Result:
        balancer = self.load_balancer(params["LoadBalancerArn"])
        _check_port(params.get("Port"))
        _check_protocol(params.get("Protocol"), params.get("Certificates"))
        await self.secure(params)
        tags = checked(params.get("Tags") or [])
        default_actions = actions.normalise(params["DefaultActions"], self.state.target_groups)
        existing = next((each for each in balancer.listeners.values() if each.port == params["Port"]), None)
        if existing is not None:
            return _repeated(existing, params, default_actions)
        self.check_limit(
            "listeners-per-application-load-balancer", len(balancer.listeners) + 1, "TooManyListeners"
        )
        arn = listener_arn(balancer.arn)
        default = Rule(rule_arn(arn), DEFAULT_PRIORITY, [], default_actions)
        self.check_association(balancer.arn, default.target_groups)
        listener = Listener(
            arn=arn,
            load_balancer=balancer.arn,
            port=params["Port"],
            protocol=params["Protocol"],
            bound_port=self._free_port(params["Port"]),
            default=default,
            attributes=attributes.defaults(attributes.LISTENER),
        )
        _secure(listener, params)
        balancer.listeners[arn] = listener
        self.state.tags[arn] = tags
        try:
            await self._open(listener)
        except BaseException:
            del balancer.listeners[arn], self.state.tags[arn]
            raise
        return {"Listeners": [listener.describe()]}

    @operation("DescribeListeners")
    async def describe_listeners(self, params: Params) -> Result:
        arns, balancer = params.get("ListenerArns") or [], params.get("LoadBalancerArn")
        if not arns and not balancer:
            raise validation_error("You must specify either listener ARNs or a load balancer ARN")
        if arns and balancer:
            raise validation_error(
                "Listener ARNs and a load balancer ARN cannot be specified at the same time",
            )
        if balancer:
            found = list(self.load_balancer(balancer).listeners.values())
        else:
            found = [self.listener(arn) for arn in arns]
        return ELBV2.answer("Listeners", [listener.describe() for listener in found], params)

    @operation("ModifyListener")
    async def modify_listener(self, params: Params) -> Result:
        listener = self.listener(params["ListenerArn"])
        balancer = self.load_balancer(listener.load_balancer)
        port = params.get("Port") or listener.port
        protocol = params.get("Protocol") or listener.protocol
        _check_protocol(protocol, params.get("Certificates") or listener.certificates)
        await self.secure(params)
        if params.get("DefaultActions"):
            wanted = actions.normalise(params["DefaultActions"], self.state.target_groups)
            changed = Rule(listener.default.arn, DEFAULT_PRIORITY, [], wanted)
            self.check_association(balancer.arn, changed.target_groups)
        else:
            changed = listener.default
        if port != listener.port:
            _check_port(port)
            _check_unused(balancer, port)
            listener.bound_port = self._free_port(port)
        listener.port, listener.protocol, listener.default = port, protocol, changed
        _secure(listener, params)
        await self._open(listener)
        return {"Listeners": [listener.describe()]}

    @operation("DeleteListener")
    async def delete_listener(self, params: Params) -> Result:
        listener = self.listener(params["ListenerArn"])
        del self.load_balancer(listener.load_balancer).listeners[listener.arn]
        for arn in (listener.arn, *listener.rules):
            self.state.tags.pop(arn, None)
        await self.plane.sync()
        return {}

    @operation("DescribeListenerAttributes")
    async def describe_listener_attributes(self, params: Params) -> Result:
        return attributes.describe(self.listener(params["ListenerArn"]).attributes)

    @operation("ModifyListenerAttributes")
    async def modify_listener_attributes(self, params: Params) -> Result:
        listener = self.listener(params["ListenerArn"])
        listener.attributes.update(attributes.changes(attributes.LISTENER, "Listener", params["Attributes"]))
        await self.plane.sync()
        return attributes.describe(listener.attributes)

    async def _open(self, listener: Listener) -> None:
        """Have a listener opened: on another port if its own was taken before Envoy could bind it."""
        await self.plane.sync()
        for _ in range(PORTS_TRIED):
            if not await self.plane.is_refused(listener):
                return
            listener.bound_port = self._free_port(0)
            await self.plane.sync()

    def _free_port(self, preferred: int) -> int:
        """Return the port to bind: the preferred one, unless it is taken or about to be."""
        given = self.plane.bound_ports()
        port = free_port(0 if preferred in given else preferred)
        while port in given:
            port = free_port()
        return port


def _repeated(existing: Listener, params: Params, default_actions: list[dict[str, Any]]) -> Result:
    """Answer a repeated creation: return the same one, or refuse if a setting differs."""
    if existing.protocol != params["Protocol"] or existing.default.actions != default_actions:
        raise AwsError(
            "DuplicateListener",
            f"A listener already exists on this port for this load balancer '{existing.load_balancer}'",
        )
    return {"Listeners": [existing.describe()]}


def _check_unused(balancer: LoadBalancer, port: int) -> None:
    if any(listener.port == port for listener in balancer.listeners.values()):
        raise AwsError(
            "DuplicateListener",
            f"A listener already exists on this port for this load balancer '{balancer.arn}'",
        )


def _check_port(port: int | None) -> None:
    if port is None:
        raise validation_error("A listener port must be specified")


def _check_protocol(protocol: str | None, certificates: list[dict[str, Any]] | None) -> None:
    if protocol is None:
        raise validation_error("A listener protocol must be specified")
    if protocol not in PROTOCOLS:
        raise validation_error(f"Listener protocol '{protocol}' must be one of '{', '.join(PROTOCOLS)}'")
    if protocol == "HTTPS" and not certificates:
        raise validation_error("A certificate must be specified for HTTPS listeners")


def _secure(listener: Listener, params: Params) -> None:
    """Keep what only HTTPS listeners have."""
    if listener.protocol == "HTTPS":
        given = params.get("Certificates") or listener.certificates
        listener.certificates = [{"CertificateArn": each["CertificateArn"]} for each in given]
        listener.ssl_policy = params.get("SslPolicy") or listener.ssl_policy or ssl_policies.DEFAULT
    else:
        listener.certificates, listener.more_certificates, listener.ssl_policy = [], [], ""
