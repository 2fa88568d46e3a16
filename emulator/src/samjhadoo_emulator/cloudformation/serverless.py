"""The transform `AWS::Serverless-2016-10-31`, by AWS's own translator, loaded when a template asks for it."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language.sections import SERVERLESS
from samjhadoo_emulator.errors import not_implemented, validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

_APPLICATION: Final = "AWS::Serverless::Application"


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
    _refuse_repository(document)
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own features and metrics
    given, values = copy.deepcopy(document), dict(parameters)
    py27hash_fix.to_py27_compatible_template(given, values)  # so that generated names are those of AWS
    translator = Translator({}, Parser(), boto_session=_Session(region))
    try:
        result = translator.translate(given, parameter_values=values)
    except InvalidDocumentException as error:
        causes = " ".join(cause.message for cause in error.causes)
        raise validation_error(f"Transform {SERVERLESS} failed with: {error.message} {causes}") from None
    except Exception:  # noqa: BLE001 - it has not been written for every mistake that a template can have
        raise validation_error(f"Transform {SERVERLESS} failed without an error message.") from None
    plain: dict[str, Any] = py27hash_fix.undo_mark_unicode_str_in_template(result)
    return plain


def _refuse_repository(document: dict[str, Any]) -> None:
    """Refuse applications of the repository, which the translator would ask AWS itself for."""
    for name, resource in document.get("Resources", {}).items():
        if resource.get("Type") == _APPLICATION:
            location = resource.get("Properties", {}).get("Location")
            if not isinstance(location, str):
                raise not_implemented(
                    f"Resource {name}: the emulator does not have the serverless application repository."
                )
