"""What happens to market rows at the edge, for files, recordings and live feeds alike."""

from adapters.cleaning.cleaner import Cleaner, cleaned
from adapters.cleaning.findings import Example, Findings
from adapters.cleaning.reasons import DROPPED
from adapters.cleaning.settings import CleaningSettings

__all__ = ["DROPPED", "Cleaner", "CleaningSettings", "Example", "Findings", "cleaned"]
