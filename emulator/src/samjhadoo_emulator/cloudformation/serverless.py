"""The transform `AWS::Serverless-2016-10-31`, by AWS's own translator, loaded when a template asks for it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.errors import not_implemented, validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVERLESS: Final = "AWS::Serverless-2016-10-31"


class _Session:
    """What the translator reads of a session of boto3."""

    def __init__(self, region: str) -> None:
        self.region_name = region


def translated(document: dict[str, Any], parameters: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Return a template whose serverless resources have become those that they stand for.

    Args:
        document: The template as plain values.
        parameters: The values of its parameters.
        region: Where the stack is; names of services and partitions depend on it.

    Raises:
        AwsError: The template is wrong, or the translator is not installed.
    """
    try:
        from samtranslator.model.exceptions import InvalidDocumentException
        from samtranslator.parser.parser import Parser
        from samtranslator.translator.translator import Translator
        from samtranslator.utils import py27hash_fix
    except ModuleNotFoundError:
        raise not_implemented(
            f"The transform {SERVERLESS} needs AWS's translator: pip install 'samjhadoo-emulator[sam]'"
        ) from None
    given, values = copy.deepcopy(document), dict(parameters)
    py27hash_fix.to_py27_compatible_template(given, values)  # so that generated names are those of AWS
    translator = Translator({}, Parser(), boto_session=_Session(region))
    try:
        result = translator.translate(given, parameter_values=values)
    except InvalidDocumentException as error:
        causes = " ".join(cause.message for cause in error.causes)
        raise validation_error(f"Transform {SERVERLESS} failed with: {error.message} {causes}") from None
    plain: dict[str, Any] = py27hash_fix.undo_mark_unicode_str_in_template(result)
    return plain
