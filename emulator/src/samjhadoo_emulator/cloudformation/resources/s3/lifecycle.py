"""Lifecycle rules: CloudFormation writes them flatter than S3's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties

_SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")
_SAME = ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "Status")
_EXPIRATION = {"ExpirationDate": "Date", "ExpirationInDays": "Days", "ExpiredObjectDeleteMarker": None}
_TRANSITION = {"TransitionDate": "Date", "TransitionInDays": "Days", "StorageClass": None}
_NONCURRENT = {"TransitionInDays": "NoncurrentDays", "StorageClass": None, "NewerNoncurrentVersions": None}


def to_api(configuration: Properties) -> dict[str, Any]:
    """Return a bucket's `LifecycleConfiguration` as `PutBucketLifecycleConfiguration` takes it."""
    return {"Rules": [_rule(each) for each in configuration["Rules"]]}


def from_api(answer: Properties) -> Properties:
    """Return an answer of `GetBucketLifecycleConfiguration` as the template writes it."""
    return {"Rules": [_flat(each) for each in answer["Rules"]]}


def _rule(rule: Properties) -> dict[str, Any]:
    found: dict[str, Any] = {name: rule[name] for name in _SAME if name in rule}
    found["Filter"] = _filter(rule)
    if "Id" in rule:
        found["ID"] = rule["Id"]
    if expiration := _renamed(rule, _EXPIRATION):
        found["Expiration"] = expiration
    if days := rule.get("NoncurrentVersionExpirationInDays"):
        found["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(days)}
    if transitions := _several(rule, "Transition"):
        found["Transitions"] = [_renamed(each, _TRANSITION) for each in transitions]
    if transitions := _several(rule, "NoncurrentVersionTransition"):
        found["NoncurrentVersionTransitions"] = [_renamed(each, _NONCURRENT) for each in transitions]
    return found


def _several(rule: Properties, name: str) -> list[Properties]:
    """Return what a rule has under a name in the plural, and the one that it may have under the singular."""
    return [*(rule.get(f"{name}s") or ()), *([rule[name]] if name in rule else [])]


def _filter(rule: Properties) -> dict[str, Any]:
    """Return which objects a rule is about: one condition stands alone, several in `And`."""
    conditions: dict[str, Any] = {"Prefix": rule["Prefix"]} if "Prefix" in rule else {}
    conditions |= {name: int(rule[name]) for name in _SIZES if name in rule}
    tags = rule.get("TagFilters") or []
    if len(conditions) + len(tags) > 1:
        return {"And": {**conditions, **({"Tags": tags} if tags else {})}}
    return {"Tag": tags[0]} if tags else conditions or {"Prefix": ""}


def _flat(rule: Properties) -> Properties:
    found: Properties = {name: rule[name] for name in _SAME if name in rule}
    if "ID" in rule:
        found["Id"] = rule["ID"]
    conditions = rule.get("Filter", {}).get("And") or rule.get("Filter", {})
    found |= {name: conditions[name] for name in ("Prefix", *_SIZES) if conditions.get(name)}
    if tags := conditions.get("Tags") or [each for each in [conditions.get("Tag")] if each]:
        found["TagFilters"] = tags
    found |= _named_back(rule.get("Expiration", {}), _EXPIRATION)
    for name, names in (("Transitions", _TRANSITION), ("NoncurrentVersionTransitions", _NONCURRENT)):
        if name in rule:
            found[name] = [_named_back(each, names) for each in rule[name]]
    return found


def _renamed(values: Properties, names: dict[str, str | None]) -> dict[str, Any]:
    return {other or name: values[name] for name, other in names.items() if name in values}


def _named_back(values: Properties, names: dict[str, str | None]) -> Properties:
    return {name: values[other or name] for name, other in names.items() if (other or name) in values}
