"""Lifecycle policies: what they may contain, and which images they expire. Pure functions.

The facts are the ECR user guide's (lifecycle policy properties; how lifecycle policies work). Its words for
refusals are those that users of ECR have reported.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from samjhadoo_emulator.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from samjhadoo_emulator.ecr.model import Image, Repository

MOST_RULES = 50
MOST_WILDCARDS = 4
_STATUSES = ("any", "tagged", "untagged")
_COUNT, _AGE = "imageCountMoreThan", "sinceImagePushed"
_ELSEWHERE = ("sinceImagePulled", "sinceImageTransitioned")
_RULE = ({"rulePriority", "selection", "action"}, {"description"})
_SELECTION = (
    {"tagStatus", "countType", "countNumber"},
    {"tagPrefixList", "tagPatternList", "countUnit", "storageClass"},
)
_ACTION: tuple[set[str], set[str]] = ({"type"}, {"targetStorageClass"})


@dataclass(frozen=True)
class LifecycleRule:
    """A rule of a policy.

    Attributes:
        priority: Lower ones come first.
        status: Which images it is about: `tagged`, `untagged` or `any`.
        patterns: Of a tagged image, each of these must match one of the tags.
        most: How many images are kept, youngest first; None when age decides.
        age: How long images are kept after their push (emulated); None when their number decides.
    """

    priority: int
    status: str
    patterns: tuple[re.Pattern[str], ...] = ()
    most: int | None = None
    age: timedelta | None = None

    def selects(self, tags: Collection[str]) -> bool:
        """Return whether an image with these tags is one that the rule is about."""
        if self.status == "any":
            return True
        if self.status == "untagged":
            return not tags
        return bool(tags) and all(any(pattern.fullmatch(tag) for tag in tags) for pattern in self.patterns)


def rules(text: str) -> list[LifecycleRule]:
    """Return the rules of a policy by priority.

    Raises:
        AwsError: ECR would refuse the policy, or it needs archive storage, which the emulator does not have.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        _refuse("Could not map policyString into LifecyclePolicy.")
    _members(document, ({"rules"}, set()))
    listed = document["rules"]
    if not isinstance(listed, list):
        _mistyped(listed, "array")
    if len(listed) > MOST_RULES:
        _refuse(f"array is too long: must have at most {MOST_RULES} elements but instance has {len(listed)}")
    found = sorted((_rule(each) for each in listed), key=lambda rule: rule.priority)
    _check_together(found)
    return found


def expiring(
    repository: Repository, policy: Iterable[LifecycleRule], now: datetime
) -> list[tuple[Image, LifecycleRule]]:
    """Return the images that a policy expires now, each with the rule that does.

    Every rule looks at all images it is about, those of earlier rules included. An image that a rule is about
    is out of reach of later ones, whether it was expired or not. What an index lists, or what refers to an
    image that stays, stays too.

    Args:
        policy: Rules by priority.
        now: Emulated time.
    """
    tags = {digest: repository.tags_of(digest) for digest in repository.images}
    decided: dict[str, LifecycleRule | None] = {}
    for rule in policy:
        about = [image for image in repository.images.values() if rule.selects(tags[image.digest])]
        about.sort(key=lambda image: image.pushed_at, reverse=True)
        if rule.age is not None:
            condemned = {image.digest for image in about if now - image.pushed_at > rule.age}
        else:
            condemned = {image.digest for image in about[rule.most :]}
        for image in about:
            decided.setdefault(image.digest, rule if image.digest in condemned else None)
    gone = {digest: rule for digest, rule in decided.items() if rule is not None}
    _spare_parts(repository, gone)
    return [(repository.images[digest], rule) for digest, rule in gone.items()]


def _spare_parts(repository: Repository, gone: dict[str, LifecycleRule]) -> None:
    """Take from `gone` what belongs to images that stay: an index's images, an image's referrers."""
    while True:
        kept = [image for digest, image in repository.images.items() if digest not in gone]
        needed = {child for image in kept for child in image.manifest.children}
        present = {image.digest for image in kept}
        spared = [
            digest
            for digest in gone
            if digest in needed or repository.images[digest].manifest.subject in present
        ]
        if not spared:
            return
        for digest in spared:
            del gone[digest]


def _rule(document: Any) -> LifecycleRule:
    if not isinstance(document, dict):
        _mistyped(document, "object")
    _members(document, _RULE)
    selection, action = document["selection"], document["action"]
    for part, shape in ((action, _ACTION), (selection, _SELECTION)):
        if not isinstance(part, dict):
            _mistyped(part, "object")
        _members(part, shape)
    if selection["countType"] in _ELSEWHERE or action["type"] == "transition":
        _refuse("the emulator has no archive storage: images can be expired by number or age only.")
    _one_of(action["type"], ("expire",))
    _one_of(selection["tagStatus"], _STATUSES)
    priority = _positive(document["rulePriority"])
    number, kind, unit = (
        _positive(selection["countNumber"]),
        selection["countType"],
        selection.get("countUnit"),
    )
    if kind not in (_COUNT, _AGE) or (kind == _AGE) != (unit is not None):
        _refuse("instance failed to match exactly one schema (matched 0 out of 2)")
    if unit is not None:
        _one_of(unit, ("days",))
    return LifecycleRule(
        priority,
        selection["tagStatus"],
        patterns=_patterns(selection),
        most=number if kind == _COUNT else None,
        age=timedelta(days=number) if kind == _AGE else None,
    )


def _patterns(selection: Mapping[str, Any]) -> tuple[re.Pattern[str], ...]:
    prefixes, patterns = _words(selection, "tagPrefixList"), _words(selection, "tagPatternList")
    if selection["tagStatus"] != "tagged":
        if prefixes or patterns:
            _refuse("tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED.")
        return ()
    if bool(prefixes) == bool(patterns):
        _refuse(
            "Cannot specify both tagPrefixList and tagPatternList."
            if prefixes
            else "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."
        )
    for pattern in patterns:
        if pattern.count("*") > MOST_WILDCARDS:
            _refuse(f"A tagPatternList entry can have a maximum of {MOST_WILDCARDS} wildcards (*).")
    words = patterns or [f"{prefix}*" for prefix in prefixes]
    return tuple(re.compile(".*".join(map(re.escape, word.split("*")))) for word in words)


def _words(selection: Mapping[str, Any], member: str) -> list[str]:
    words = selection.get(member, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        _mistyped(words, "array")
    return words


def _check_together(found: list[LifecycleRule]) -> None:
    priorities = [rule.priority for rule in found]
    if len(set(priorities)) < len(priorities):
        _refuse("Rule priorities must be unique.")
    if sum(rule.status == "untagged" for rule in found) > 1:
        _refuse("Only one rule can select Untagged images per storage class.")
    if any(rule.status == "any" for rule in found[:-1]):
        _refuse("Rule for tagStatus=ANY must have the lowest priority per storage class")


def _members(document: Mapping[str, Any], shape: tuple[set[str], set[str]]) -> None:
    required, optional = shape
    missing = sorted(required - document.keys())
    if missing:
        _refuse(f"object has missing required properties ({json.dumps(missing)})")
    unknown = sorted(document.keys() - required - optional)
    if unknown:
        _refuse(
            f"object instance has properties which are not allowed by the schema: ({json.dumps(unknown)})"
        )


def _one_of(value: Any, permitted: tuple[str, ...]) -> None:
    if value not in permitted:
        listed = json.dumps(permitted)
        _refuse(f"instance value ({json.dumps(value)}) not found in enum (possible values: {listed})")


def _positive(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _mistyped(value, "integer")
    if value < 1:
        _refuse(f"numeric instance is lower than the required minimum (minimum: 1, found: {value})")
    return int(value)


def _mistyped(value: Any, wanted: str) -> NoReturn:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    _refuse(
        f"instance type ({names.get(type(value), 'null')}) does not match any allowed primitive type "
        f'(allowed: ["{wanted}"])'
    )


def _refuse(words: str) -> NoReturn:
    raise invalid_parameter(
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "
        f"'Lifecycle policy validation failure: {words}'",
    )
