"""Save a trained network as an MLflow model (flavour pyfunc)."""

from __future__ import annotations

import io
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import model as keys
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from PIL import Image

from pipeline.run import Run
from pipeline.tracking import model_code

MODEL_FILES = {
    "weights": "weights.safetensors",
    "record": "run.json",
    "open_set": "open_set.json",
}
"""Artifacts of a model: their folder can be loaded like that of a run."""
ARTIFACTS = "artifacts"
"""Their folder in the model."""
REQUIREMENTS = (
    *("faiss-cpu", "filelock", "mlflow", "numpy", "pandas", "pillow", "pydantic", "safetensors"),
    *("simplejpeg", "timm", "torch", "torchvision", "tqdm"),
)
"""The packages that `pipeline.load` needs. The workflow itself is in no package index."""
EXAMPLE_SIZE = (64, 128)
"""Width and height of the input example, in pixels."""


def embeds_without_labels(run: Run) -> bool:
    """Return whether `pipeline.load` takes the network: a camera embedding needs cameras."""
    return not run.record["options"]["backbone"]["camera_embedding"]


def save_model(run: Run, folder: Path, model_id: str, run_id: str) -> None:
    """Save the network of a run as an MLflow model in a new `folder`, without pickles.

    `model_id` and `run_id` are MLflow's. A network with a camera embedding is saved as plain files,
    which MLflow cannot load.
    """
    if not embeds_without_labels(run):
        _copy_files(run, folder)
        return
    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
    model = Model(run_id=run_id, model_id=model_id, model_uuid=model_id)
    pyfunc.save_model(
        folder,
        python_model=model_code.__file__,
        signature=_signature(),
        input_example=_example(),
        pip_requirements=requirements(run.record["versions"]),
        metadata=_metadata(run),
        mlflow_model=model,
    )
    _copy_files(run, folder / ARTIFACTS)
    _complete(model, folder)


def _copy_files(run: Run, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in MODEL_FILES.values():
        shutil.copyfile(run.path(name), folder / name)


def _complete(model: Model, folder: Path) -> None:
    """Add the artifacts to a saved model, and remove this machine's path.

    MLflow itself would copy the weights twice and raise its own error for a full disk.
    """
    flavor = model.flavors[pyfunc.FLAVOR_NAME]
    flavor[pyfunc.MODEL_CODE_PATH] = Path(flavor[pyfunc.MODEL_CODE_PATH]).name
    paths = {name: f"{ARTIFACTS}/{file}" for name, file in MODEL_FILES.items()}
    flavor[keys.CONFIG_KEY_ARTIFACTS] = {
        name: {keys.CONFIG_KEY_ARTIFACT_RELATIVE_PATH: path, keys.CONFIG_KEY_ARTIFACT_URI: path}
        for name, path in paths.items()
    }
    files = [path for path in folder.rglob("*") if path.is_file()]
    model.model_size_bytes = sum(file.stat().st_size for file in files)
    model.save(folder / pyfunc.MLMODEL_FILE_NAME)


def requirements(versions: dict[str, str | None]) -> list[str]:
    """Return pip's requirements, pinned to the versions that the network was trained with."""
    pins = {name: versions.get(name) for name in REQUIREMENTS}
    return [f"{name}=={version}" if version else name for name, version in pins.items()]


def _signature() -> ModelSignature:
    features = TensorSpec(np.dtype(np.float32), (-1, -1), "features")
    return ModelSignature(Schema([ColSpec(DataType.binary, model_code.IMAGE)]), Schema([features]))


def _example() -> pd.DataFrame:
    data = io.BytesIO()
    Image.linear_gradient("L").resize(EXAMPLE_SIZE).save(data, "PNG")
    return pd.DataFrame({model_code.IMAGE: [data.getvalue()]})


def _metadata(run: Run) -> dict[str, Any]:
    """Return what a client must know of the features."""
    report = run.open_set
    return {name: report[name] for name in ("feature", "threshold", "false_positive_rate")}
