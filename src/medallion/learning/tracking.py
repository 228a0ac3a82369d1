"""Trainings as runs of MLflow, and the active model as its registry's alias `champion`. Optional.

The registry that scoring reads is the one in the lakehouse (`medallion.scoring.registry`); MLflow holds a copy for
people and tools that look there. An SQLite file does as a store: `mlflow: sqlite:///mlflow.db` in config.yaml.
`mlflow: databricks` takes the workspace's tracking and the registry of Unity Catalog: the model is `CATALOG.ops.NAME` of
the catalog that the lakehouse is in, with the prefix of its schemas.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError, extra
from medallion.scoring.signals import Kind, kinds

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
with extra("mlflow", "MLflow"):
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.tracking import MlflowClient
    from mlflow.types import ColSpec, Schema
    from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from medallion.learning.train import Outcome

EXPERIMENT = MODEL = "medallion_lead_scoring"
ALIAS = "champion"
_SQLITE = "sqlite:///"


def track(uri: str, outcome: Outcome, schema: tuple[str, str] | None = None) -> None:
    """Log a training that registered a model.

    Args:
        uri: Tracking store, such as `sqlite:///mlflow.db`, `http://...` or `databricks`.
        outcome: What the training came to; without a version nothing is logged.
        schema: Catalog and schema of Unity Catalog that get the model, where the store is Databricks.

    Raises:
        MedallionError: The store cannot be used.
    """
    if outcome.version is None:
        return
    folder = Path(outcome.folder, outcome.version)
    evaluation = outcome.evaluation
    store, model, experiment_name = _places(uri, schema)
    _openable(uri)
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=store)
        existing = client.get_experiment_by_name(experiment_name)
        local = Path(outcome.folder, "mlflow").absolute().as_uri() if uri.startswith("sqlite") else None
        experiment = (
            existing.experiment_id if existing else client.create_experiment(experiment_name, artifact_location=local)
        )
        run = client.create_run(experiment, run_name=outcome.version).info
        parameters = {"champion": evaluation["champion"], "trained_on": evaluation["trained_on"]}
        parameters |= {"as_of": outcome.as_of.isoformat(), "horizon_days": str(outcome.horizon_days)}
        for name, value in parameters.items():
            client.log_param(run.run_id, name, value)
        for kind, figures in evaluation["candidates"].items():
            for name in ("roc_auc", "pr_auc", "brier", "log_loss", "ece", "lift_at_10"):
                if figures[name] is not None:
                    client.log_metric(run.run_id, f"{kind}_{name}", figures[name])
        client.log_artifacts(run.run_id, str(folder))
        client.log_dict(run.run_id, _description(run.run_id, evaluation["own_kinds"]), "MLmodel")
        client.set_terminated(run.run_id)
        _register(client, model)
        version = client.create_model_version(model, source=run.artifact_uri, run_id=run.run_id)
        if outcome.promoted:
            client.set_registered_model_alias(model, ALIAS, version.version)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise MedallionError(
            f"MLflow at {uri}: {str(error).splitlines()[0][:300]}",
            "The model is registered in the lakehouse all the same. Check `mlflow` in config.yaml.",
        ) from error
    finally:
        mlflow.set_tracking_uri(None)


def _openable(uri: str) -> None:
    """Refuse an SQLite file that cannot be opened; MLflow would try for minutes.

    Raises:
        MedallionError: It cannot be opened or made.
    """
    if uri.startswith(_SQLITE):
        try:
            with closing(sqlite3.connect(uri.removeprefix(_SQLITE))) as connection:
                connection.execute("select count(*) from sqlite_master")
        except sqlite3.Error as error:
            raise MedallionError(f"MLflow at {uri}: {error}", "Check `mlflow` in config.yaml.") from error


def _places(uri: str, schema: tuple[str, str] | None) -> tuple[str, str, str]:
    """Registry, name of the model there, and name of the experiment, which is a path on Databricks.

    Raises:
        MedallionError: The store is Databricks, and no schema is known.
    """
    if not uri.startswith("databricks"):
        return uri, MODEL, EXPERIMENT
    if schema is None:
        raise MedallionError(
            "MLflow on Databricks keeps models in Unity Catalog, and the lakehouse is in no catalog",
            "Use `lakehouse: uc://CATALOG`, or another store for `mlflow`.",
        )
    return uri.replace("databricks", "databricks-uc", 1), ".".join((*schema, MODEL)), f"/Shared/{EXPERIMENT}"


def _register(client: MlflowClient, model: str) -> None:
    """Make the registered model unless it is there; Unity Catalog knows no search by filter."""
    try:
        client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(model)


def _description(run_id: str, own: Mapping[str, Kind]) -> dict[str, Any]:
    """The `MLmodel` file: signals in, probability out. Unity Catalog takes no model without such a signature."""
    every = {**kinds(), **own}
    columns = [ColSpec("string" if of == "category" else "double", name, required=False) for name, of in every.items()]
    signature = ModelSignature(Schema(columns), Schema([ColSpec("double", "probability")]))
    flavors = {"medallion": {"loader": "medallion.scoring.registry", "format": "model.json"}}
    return dict(Model(artifact_path="", run_id=run_id, flavors=flavors, signature=signature).to_dict())
