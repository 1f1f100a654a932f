"""`make docs` builds the documentation site: every page without a warning, every public name on the API page."""

import subprocess
import sys
from pathlib import Path

import clip_ae
from tests.builders import ROOT


def test_the_site_has_every_page_and_every_public_name(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / ("index.html" if page.stem == "index" else f"{page.stem}/index.html")).exists(), page
    api = (site / "api/index.html").read_text()
    for name in clip_ae.__all__:
        assert any(f'id="clip_ae.{module}.{name}"' in api for module in ("api", "core.errors")) or name[0] == "_", name
    assert (site / "search/search_index.json").exists()
