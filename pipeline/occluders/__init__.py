"""Occluders: objects that SAM cuts out of scenes, filtered into a bank."""
