"""Public validators of JSON Schema and OpenAPI; they take three seconds to import, so each process
of the tests does it where it needs one."""

from __future__ import annotations

from typing import Any


def json_schema(schema: Any) -> Any:
    """Return a validator of `schema` (draft 2020-12), which is checked itself."""
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def check_openapi(document: Any) -> None:
    """Raise where `document` is no OpenAPI document to the letter."""
    from openapi_spec_validator import validate

    validate(document)
