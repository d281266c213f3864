from collections.abc import Mapping
from typing import Any

def heed(found: Mapping[str, Any], *, remedy: bool, depth: int = 3) -> None: ...
