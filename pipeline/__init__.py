"""DPEFormer, from raw data to tables: one module per stage of the workflow."""
