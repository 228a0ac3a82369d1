"""Trainings as runs of MLflow, and the model that speaks as its registry's alias `champion`. Optional.

The registry that scoring reads is the one in the lakehouse (`medallion.scoring.registry`); MLflow holds a copy for
people and tools that look there. An SQLite file does as a store: `mlflow: sqlite:///mlflow.db` in config.yaml.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from medallion.pipeline.learning import Outcome

EXPERIMENT = MODEL = "medallion_lead_scoring"
ALIAS = "champion"


def track(uri: str, outcome: Outcome) -> None:
    """Log a training that registered a model.

    Args:
        uri: Tracking store, such as `sqlite:///mlflow.db`, `http://...` or `databricks`.
        outcome: What the training came to; without a version nothing is logged.

    Raises:
        MedallionError: MLflow is not installed, or the store cannot be used.
    """
    if outcome.version is None:
        return
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise MedallionError(
            f"MLflow is not installed: {error}", "Install it with: pip install 'medallion-crm[mlflow]'"
        ) from error
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    _openable(uri)
    folder = Path(outcome.folder, outcome.version)
    evaluation = outcome.evaluation
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        local = Path(outcome.folder, "mlflow").absolute().as_uri() if uri.startswith("sqlite") else None
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=local)
        run = client.create_run(experiment, run_name=outcome.version).info
        told = {"champion": evaluation["champion"], "trained_on": evaluation["trained_on"]}
        told |= {"as_of": outcome.as_of.isoformat(), "horizon_days": str(outcome.horizon_days)}
        for name, value in told.items():
            client.log_param(run.run_id, name, value)
        for kind, one in evaluation["candidates"].items():
            for name in ("roc_auc", "pr_auc", "brier", "log_loss", "ece", "lift_at_10"):
                if one[name] is not None:
                    client.log_metric(run.run_id, f"{kind}_{name}", one[name])
        client.log_artifacts(run.run_id, str(folder))
        client.set_terminated(run.run_id)
        if not client.search_registered_models(filter_string=f"name = '{MODEL}'"):
            client.create_registered_model(MODEL)
        version = client.create_model_version(MODEL, source=run.artifact_uri, run_id=run.run_id)
        if outcome.promoted:
            client.set_registered_model_alias(MODEL, ALIAS, version.version)
    except (MlflowException, OSError) as error:
        raise _unusable(uri, error) from error
    finally:
        mlflow.set_tracking_uri(None)


def _openable(uri: str) -> None:
    """Refuse an SQLite file that cannot be opened at once; MLflow would try for two minutes."""
    if not uri.startswith("sqlite:///"):
        return
    try:
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
            connection.execute("select count(*) from sqlite_master")
    except sqlite3.Error as error:
        raise _unusable(uri, error) from error


def _unusable(uri: str, error: Exception) -> MedallionError:
    return MedallionError(
        f"MLflow at {uri}: {str(error).splitlines()[0][:300]}",
        "The model is registered in the lakehouse all the same. Check `mlflow` in config.yaml.",
    )
