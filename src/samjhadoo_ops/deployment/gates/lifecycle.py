"""What a repository's lifecycle policy removes; ECR's own preview would be a call that starts something.

Rules after ECR's guide (`lifecycle_policy_parameters`): by priority; an image is counted by the first rule
that it matches; `imageCountMoreThan` keeps the newest, `sinceImagePushed` those younger than so many days.
"""

from __future__ import annotations

import fnmatch
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DAY = 86_400.0


def expires(policy: str, images: Sequence[Mapping[str, Any]], digest: str, *, now: float) -> str:
    """Return why an image is removed at a time; empty when it is kept.

    One more image is about to be pushed, so one fewer of the present ones is kept by count.

    Args:
        policy: The lifecycle policy, as JSON.
        images: The repository's images, as DescribeImages tells.
        digest: The image's.
        now: Unix time.

    """
    rules = sorted(json.loads(policy).get("rules", ()), key=lambda rule: rule.get("rulePriority", 0))
    newest = sorted(images, key=lambda image: image["imagePushedAt"], reverse=True)
    for rule in rules:
        selection = rule.get("selection", {})
        matching = [image for image in newest if _matches(selection, image)]
        places = {image["imageDigest"]: place for place, image in enumerate(matching)}
        if digest not in places:
            continue
        number, kind = int(selection.get("countNumber", 0)), selection.get("countType")
        said = rule.get("description") or f"rule {rule.get('rulePriority')}"
        if kind == "imageCountMoreThan":
            over = places[digest] + 1 >= number
            return f"{said} keeps {number} images, it is number {places[digest] + 1}" if over else ""
        if kind == "sinceImagePushed":
            age = (now - matching[places[digest]]["imagePushedAt"].timestamp()) / _DAY
            return f"{said} keeps images for {number} days, it is {age:.0f} old" if age >= number else ""
        return ""
    return ""


def _matches(selection: Mapping[str, Any], image: Mapping[str, Any]) -> bool:
    tags = image.get("imageTags") or []
    status = selection.get("tagStatus", "any")
    if status == "any":
        return True
    if status == "untagged":
        return not tags
    prefixes = [f"{prefix}*" for prefix in selection.get("tagPrefixList", ())]
    patterns = prefixes or list(selection.get("tagPatternList", ()))
    found = [any(fnmatch.fnmatchcase(tag, pattern) for tag in tags) for pattern in patterns]
    return bool(tags) and all(found)
