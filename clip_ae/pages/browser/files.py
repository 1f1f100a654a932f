"""Read the style sheet and the scripts of the page."""

from pathlib import Path

BROWSER_DIR = Path(__file__).parent
# The scripts are joined to one module in this order: each uses the names of those before it.
SCRIPTS = ("theme", "scroll", "data", "lanes", "timeline", "hint", "player", "search", "filters", "videos", "suggest")


def read_style() -> str:
    return (BROWSER_DIR / "style.css").read_text(encoding="utf-8")


def read_scripts() -> str:
    """All scripts as one text."""
    return "\n".join((BROWSER_DIR / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
