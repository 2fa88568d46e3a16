"""A distribution's configuration: CloudFormation's form and that of CloudFront's API.

The API wants the number of items beside every list (`shapes` adds it), names a few members otherwise, and
requires some that templates may leave out, whose values are then CloudFormation's defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator import wire
from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties

LEGACY: Final = ("CNAMEs", "CustomOrigin", "S3Origin")
"""Members of the first API, which the present one does not have."""
_METHODS: Final = ("GET", "HEAD")


def as_api(configuration: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return a `DistributionConfig` of a template as the API takes it.

    Args:
        reference: The caller's reference, which makes the creation idempotent.

    Raises:
        AwsError: A member that the API does not have is in the text.
    """
    given = {"Comment": "", **configuration}
    named: dict[str, Any] = {
        ("IsIPV6Enabled" if name == "IPV6Enabled" else name): value for name, value in given.items()
    }
    named["Origins"] = [_origin(each) for each in configuration.get("Origins") or ()]
    named["DefaultCacheBehavior"] = _behavior(configuration["DefaultCacheBehavior"])
    if "CacheBehaviors" in configuration:
        named["CacheBehaviors"] = [_behavior(each) for each in configuration["CacheBehaviors"]]
    if "Logging" in configuration:
        logging = {"IncludeCookies": False, "Prefix": "", "Bucket": "", **configuration["Logging"]}
        named["Logging"] = {"Enabled": True, **logging}
    if "Restrictions" in configuration:
        named["Restrictions"] = {"GeoRestriction": _geography(configuration["Restrictions"])}
    shape = wire.operation_model("cloudfront", "CreateDistribution").input_shape.members["DistributionConfig"]
    fitted: dict[str, Any] = shapes.fit(named, shape, "DistributionConfig")
    return {**fitted, "CallerReference": reference}


def _origin(origin: Mapping[str, Any]) -> dict[str, Any]:
    named = {
        ("CustomHeaders" if name == "OriginCustomHeaders" else name): value for name, value in origin.items()
    }
    if "CustomOriginConfig" in origin:
        named["CustomOriginConfig"] = {"HTTPPort": 80, "HTTPSPort": 443, **origin["CustomOriginConfig"]}
    if "S3OriginConfig" in origin:
        named["S3OriginConfig"] = {"OriginAccessIdentity": "", **origin["S3OriginConfig"]}
    return named


def _behavior(behavior: Mapping[str, Any]) -> dict[str, Any]:
    named = dict(behavior)
    if "AllowedMethods" in behavior or "CachedMethods" in behavior:
        methods = list(behavior.get("AllowedMethods") or _METHODS)
        cached = list(named.pop("CachedMethods", None) or _METHODS)
        listed = {"Quantity": len(cached), "Items": cached}
        named["AllowedMethods"] = {"Quantity": len(methods), "Items": methods, "CachedMethods": listed}
    return named


def _geography(restrictions: Mapping[str, Any]) -> dict[str, Any]:
    restriction = restrictions["GeoRestriction"]
    locations = list(restriction.get("Locations") or ())
    items = {"Items": locations} if locations else {}
    return {"RestrictionType": restriction["RestrictionType"], "Quantity": len(locations), **items}


def as_template(type_name: str, configuration: Mapping[str, Any], wanted: Mapping[str, Any]) -> Properties:
    """Return the API's configuration in the template's form.

    Args:
        wanted: The template's: what the API does not answer at all is taken to be so.
    """
    named = dict(configuration)
    named["IPV6Enabled"] = named.pop("IsIPV6Enabled", None)
    named["Origins"] = [
        {**each, "OriginCustomHeaders": each.get("CustomHeaders") or {"Quantity": 0}}
        for each in (configuration.get("Origins") or {}).get("Items") or ()
    ]
    named["DefaultCacheBehavior"] = _shown_behavior(configuration["DefaultCacheBehavior"])
    named["CacheBehaviors"] = [
        _shown_behavior(each) for each in (configuration.get("CacheBehaviors") or {}).get("Items") or ()
    ]
    geography = dict((configuration.get("Restrictions") or {}).get("GeoRestriction") or {})
    if geography:
        restriction = {"RestrictionType": geography["RestrictionType"]}
        named["Restrictions"] = {"GeoRestriction": {**restriction, "Locations": geography.get("Items") or []}}
    shown = in_schema(type_name, {"DistributionConfig": named})["DistributionConfig"]
    completed: Properties = _completed(shown, wanted)
    return completed


def _shown_behavior(behavior: Mapping[str, Any]) -> dict[str, Any]:
    methods = behavior.get("AllowedMethods") or {}
    cached = methods.get("CachedMethods") or {}
    return {
        **behavior,
        "AllowedMethods": list(methods.get("Items") or ()),
        "CachedMethods": list(cached.get("Items") or ()),
    }


def _completed(shown: Any, wanted: Any) -> Any:
    """Return what an API shows with those members of what is wanted that it never shows."""
    if isinstance(shown, dict) and isinstance(wanted, dict):
        missing = {name: value for name, value in wanted.items() if name not in shown}
        return missing | {name: _completed(value, wanted.get(name)) for name, value in shown.items()}
    if isinstance(shown, list) and isinstance(wanted, list) and len(shown) == len(wanted):
        return [_completed(one, other) for one, other in zip(shown, wanted, strict=True)]
    return shown
