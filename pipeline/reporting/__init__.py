"""From metrics to tables, figures and MLflow."""
