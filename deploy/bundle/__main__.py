"""Makes the bundle for Elastic Beanstalk, checks it, or deploys it behind nginx on this machine.

    python -m deploy.bundle build --models ride,churn
    python -m deploy.bundle verify --bundle dist/prediction-service-eb.zip
    python -m deploy.bundle rehearse

`make eb-bundle` and `make eb-verify` run it; docs/elastic-beanstalk.md says what the settings are.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from deploy.bundle.build import POLICIES, BundleError, build
from deploy.bundle.rehearsal import RehearsalFailed, rehearse
from deploy.bundle.verify import CHECKS, problems
from scoring.process.usage import of_docstring

DEFAULT = Path("dist/prediction-service-eb.zip")


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m deploy.bundle", **of_docstring(__doc__))
    line.add_argument("what", choices=["build", "verify", "rehearse"])
    line.add_argument("--bundle", type=Path, default=DEFAULT, help=f"the zip ({DEFAULT})")
    line.add_argument("--models-dir", type=Path, default=os.environ.get("MODELS_DIR") or None,
                      help="folder of the models in the bundle (models)")  # fmt: skip
    line.add_argument(
        "--models",
        default=os.environ.get("MODELS", ""),
        help="names of the models in it, separated by commas (all with a folder)",
    )
    line.add_argument("--policy", default=os.environ.get("EB_POLICY") or next(iter(POLICIES)),
                      help=f"of a deployment: {', '.join(POLICIES)}")  # fmt: skip
    line.add_argument("--image", default=os.environ.get("EB_IMAGE", ""),
                      help="an image of a registry, instead of what builds one")  # fmt: skip
    line.add_argument("--settings", default=os.environ.get("EB_SETTINGS", ""),
                      help="NAME=value words, for the environment")  # fmt: skip
    line.add_argument("--secrets", default=os.environ.get("EB_SECRETS", ""),
                      help="NAME=arn:aws:secretsmanager:... words")  # fmt: skip
    return line


def main(words: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    given = parser().parse_args(words)
    try:
        if given.what == "build":
            return _build(given)
        return _verify(given.bundle) if given.what == "verify" else _rehearse(given.bundle)
    except (BundleError, RehearsalFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _build(given: argparse.Namespace) -> int:
    named = [name.strip() for name in given.models.split(",") if name.strip()]
    names = build(
        given.bundle,
        models_dir=given.models_dir,
        models=named,
        policy=given.policy,
        image=given.image,
        settings=given.settings,
        secrets=given.secrets,
    )
    size = given.bundle.stat().st_size
    print(f"{given.bundle}: {len(names)} files, {size / 1e6:.1f} MB")
    return _verify(given.bundle)


def _verify(bundle: Path) -> int:
    found = problems(bundle)
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print(f"{bundle}: {len(CHECKS)} checks passed")
    return 1 if found else 0


def _rehearse(bundle: Path) -> int:
    if problems(bundle):
        return _verify(bundle)
    with tempfile.TemporaryDirectory(prefix="eb-rehearsal-") as folder:
        rehearse(bundle, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
