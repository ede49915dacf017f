"""The files for GitHub Actions and CloudFormation, held against their schemas."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.orchestrators.conftest import FILES, Place

pytestmark = [pytest.mark.slow, pytest.mark.orchestrators]


@pytest.mark.parametrize(
    ("file", "program", "wrong"),
    [
        (
            "github-actions.yml",
            ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
            ("timeout-minutes: 360", "timeout-minuts: 360"),
        ),
        ("eventbridge.yaml", ["cfn-lint"], ("FlexibleTimeWindow:", "FlexibleTimeWindows:")),
    ],
    ids=["github", "cloudformation"],
)
def test_the_schema_takes_the_file(
    place: Place, tmp_path: Path, file: str, program: list[str], wrong: tuple[str, str]
) -> None:
    """Nothing is said of it; a misspelt name is refused."""
    place.call("schedules", *program, str(FILES / file))
    text = (FILES / file).read_text()
    assert wrong[0] in text
    (tmp_path / file).write_text(text.replace(*wrong))
    assert place.call("schedules", *program, str(tmp_path / file), status=None).returncode != 0
