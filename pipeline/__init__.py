"""prep: from scans and photos to a dataset, and to what each augmentation is worth."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.export.arrays import LazyTiles, load_classes, load_data, load_variants

__all__ = ["LazyTiles", "__version__", "load_classes", "load_data", "load_variants"]

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Return what hands the dataset over; it is imported when it is first asked for."""
    if name in __all__:
        return getattr(import_module("pipeline.export.arrays"), name)
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
