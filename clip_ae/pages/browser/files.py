"""What the browser gets: one style, and one script made of the files beside this one."""

from pathlib import Path

BROWSER_DIR = Path(__file__).parent
# In this order: each may use what stands in those before it.
SCRIPTS = ("theme", "scroll", "data", "lanes", "timeline", "hint", "player", "search", "choice", "videos", "suggest")


def read_style() -> str:
    return (BROWSER_DIR / "style.css").read_text(encoding="utf-8")


def read_scripts() -> str:
    return "\n".join((BROWSER_DIR / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
