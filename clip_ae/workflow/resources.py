"""Find files shipped with the package: config, rules, vocabularies. In a checkout they are next to the package."""

from pathlib import Path

from clip_ae.core.errors import UserError

PACKAGE_DIR = Path(__file__).resolve().parents[1]
CHECKOUT_DIR = PACKAGE_DIR.parent
# Their folder in a wheel; setup.py copies them.
INSTALLED_DIR = PACKAGE_DIR / "resources"


def project_dir() -> Path:
    """The folder with Snakefile, config.yaml and configs/."""
    return CHECKOUT_DIR if (CHECKOUT_DIR / "Snakefile").is_file() else INSTALLED_DIR


def find_resource(name: str) -> Path:
    """A shipped file or folder by its path in the repository, such as `workflow/vocabularies/everyday.txt`."""
    path = project_dir() / name
    if not path.exists():
        raise UserError(f"{path}: missing; reinstall clip-ae")
    return path
