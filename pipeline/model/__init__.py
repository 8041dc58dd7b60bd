"""DPEFormer (arXiv 2402.10435): vision transformer, token selection, feature blending."""
