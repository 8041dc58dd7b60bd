"""Runs, tables and figures in MLflow."""
