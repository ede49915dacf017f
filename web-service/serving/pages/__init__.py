"""What the pages for people show, as plain values: forms, snippets, answers, model cards.

The routes are in `serving/pages/routes.py`.
"""

from pathlib import Path
from typing import Final

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"
