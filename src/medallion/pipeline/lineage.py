"""OpenLineage events of a run: which files and tables each job read and wrote, with columns and counts.

Off unless the client is configured the way its documentation says: `OPENLINEAGE_URL`, `OPENLINEAGE_CONFIG`, or
variables `OPENLINEAGE__TRANSPORT__...`. A backend that is down never fails a run: the first event that is not taken is
logged, and the run goes on without events.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion import addresses, log
from medallion.errors import MedallionError
from medallion.version import VERSION

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

    from medallion.contracts import Table

#: Namespace of the jobs; tables and files have that of where they lie.
NAMESPACE = "medallion"
_PRODUCER = f"urn:medallion-crm:{VERSION}"
_SIGNS = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")


def configured() -> bool:
    """Whether events are wanted."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").lower() == "true":
        return False
    return any(name in _SIGNS or name.startswith("OPENLINEAGE__TRANSPORT__") for name in os.environ)


def _place(file: str) -> tuple[str, str]:
    """Namespace and name of a file or address, as OpenLineage writes them."""
    if addresses.is_address(file):
        return addresses.split(file)
    return "file", str(Path(file).absolute())


class Lineage:
    """The events of one run, in order: `started`, then a job per table, then `finished` or `failed`."""

    def __init__(self, lakehouse: str) -> None:
        """Connect the client.

        Raises:
            MedallionError: Events are wanted, but the client is not installed.
        """
        self._client: OpenLineageClient | None = None
        self._run = ""
        if not configured():
            return
        try:
            from openlineage.client import OpenLineageClient
            from openlineage.client.uuid import generate_new_uuid
        except ImportError as error:
            raise MedallionError(
                f"OpenLineage is configured, but its client is not installed: {error}",
                "Install it with: pip install 'medallion-crm[openlineage]', or unset OPENLINEAGE_*.",
            ) from error
        self._new = generate_new_uuid
        self._run = str(generate_new_uuid())
        self._root = lakehouse if addresses.is_address(lakehouse) else str(Path(lakehouse).absolute())
        try:
            self._client = OpenLineageClient()
        except Exception as error:  # noqa: BLE001 - whatever a transport says, the run goes on
            log.event("lineage refused", logging.WARNING, error=f"{type(error).__name__}: {error}"[:300])

    def started(self) -> None:
        """The run has begun."""
        self._emit("START", "run", self._run)

    def job(
        self,
        name: str,
        inputs: Iterable[str],
        outputs: Sequence[Table],
        files: Iterable[str] = (),
        rows: int | None = None,
    ) -> None:
        """A table was brought up to date.

        Args:
            name: The job, such as `gold.deals`.
            inputs: Tables that were read.
            outputs: Contracts of the tables that were written.
            files: Files that were read.
            rows: Rows that were written to the first of the tables, where that was counted.
        """
        if self._client is None:
            return
        read = [*(_place(file) for file in files), *((self._root, table) for table in inputs)]
        run = str(self._new())
        self._emit("START", name, run, parent=True)
        self._emit("COMPLETE", name, run, parent=True, inputs=read, outputs=outputs, rows=rows)

    def finished(self) -> None:
        """The run has ended well."""
        self._emit("COMPLETE", "run", self._run)

    def failed(self, error: BaseException) -> None:
        """The run has ended with an error; only its kind and first line are told."""
        self._emit("FAIL", "run", self._run, error=error)

    def _emit(
        self,
        state: str,
        name: str,
        run: str,
        *,
        parent: bool = False,
        inputs: Iterable[tuple[str, str]] = (),
        outputs: Sequence[Table] = (),
        rows: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        if self._client is None:
            return
        from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import error_message_run, parent_run, processing_engine_run

        facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(version=VERSION, name="medallion")
        }
        if parent:
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=self._run), job=parent_run.Job(namespace=NAMESPACE, name="run")
            )
        if error is not None:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=f"{type(error).__name__}: {lines[0][:300]}", programmingLanguage="python"
            )
        event = RunEvent(
            eventType=RunState(state),
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(runId=run, facets=facets),
            job=Job(namespace=NAMESPACE, name=name),
            producer=_PRODUCER,
            inputs=[InputDataset(namespace=place, name=table) for place, table in inputs],
            outputs=[self._output(contract, rows if not at else None) for at, contract in enumerate(outputs)],
        )
        try:
            self._client.emit(event)
        except Exception as problem:  # noqa: BLE001 - a backend that is down is no reason to fail
            log.event(
                "lineage not taken", logging.WARNING, job=name, error=f"{type(problem).__name__}: {problem}"[:300]
            )
            self._client = None  # or every further event would wait for it

    def _output(self, contract: Table, rows: int | None) -> Any:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

        fields = [
            schema_dataset.SchemaDatasetFacetFields(name=column.name, type=column.type, description=column.description)
            for column in contract.columns
        ]
        counted: dict[str, Any] = (
            {"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)}
            if rows is not None
            else {}
        )
        return OutputDataset(
            namespace=self._root,
            name=contract.name,
            facets={"schema": schema_dataset.SchemaDatasetFacet(fields=fields)},
            outputFacets=counted,
        )
