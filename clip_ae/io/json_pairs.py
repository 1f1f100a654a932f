"""JSON objects whose keys are all different: of two equal ones Python keeps the last and says nothing."""

from collections import Counter
from typing import Any

from clip_ae.core.errors import UserError


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads(object_pairs_hook=...)`."""
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, count), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise UserError(f"the key '{name}' stands {count} times in one object; keep one")
    return found
