"""Runs, tables and figures in MLflow."""

import os

# read by mlflow when it is first imported: no usage statistics, no address after every run
os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
