"""What the browser gets: one style, and one script made of the files beside this one."""

from pathlib import Path

HERE = Path(__file__).parent
# In this order: each may use what stands in those before it.
SCRIPTS = ("theme", "scroll", "data", "lanes", "timeline", "hint", "player", "search", "choice", "videos", "suggest")


def style() -> str:
    return (HERE / "style.css").read_text(encoding="utf-8")


def script() -> str:
    return "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
