"""DPEFormer, from raw data to tables: one module per stage of the workflow."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""Root folder of the repository."""
