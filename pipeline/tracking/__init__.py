"""Runs, tables and pictures in MLflow."""
