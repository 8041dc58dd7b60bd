"""The code of the models in MLflow: encoded images in, features out.

MLflow copies this file into each model and runs it to load the model; nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from pipeline import load
from pipeline.data.images import decode_image
from pipeline.errors import InputError

IMAGE = "image"
"""The input column: JPEG or PNG bytes, in JSON as base64."""


class FeatureModel(PythonModel):
    """A trained network that embeds images; it reads no file but its own weights."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights, checked against the run's record beside them."""
        self._embedder = load(Path(context.artifacts["weights"]).parent)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> np.ndarray:
        """Return the features of the column `IMAGE`, (N, F) float32 of unit length.

        Raises MlflowException, HTTP status 400, that names the row of an unreadable image.
        """
        try:
            return self._embedder.embed(_decode(model_input[IMAGE]))
        except InputError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None


def _decode(images: Iterable[bytes]) -> Iterator[np.ndarray]:
    for row, data in enumerate(images):
        yield decode_image(data, f"row {row}")


set_model(FeatureModel())
