"""An Airflow operator that runs a flow of Sequor.

    from airflow_sequor import SequorOperator

    orders = SequorOperator(task_id="orders", project="/opt/flows/shop", flow="orders", env="prod")

The summary of the run is its XCom. A mistake in the project fails the task for good; a run that failed is gone on with when Airflow
tries the task again, so that no row is sent twice. Marking the task as failed, or clearing it, stops the run in order.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sequor_engine import Project, ProjectError, SequorError, Stop

try:
    from airflow.sdk import BaseOperator
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:  # before Airflow 3.1
    from airflow.exceptions import AirflowException, AirflowFailException
    from airflow.models import BaseOperator

log = logging.getLogger(__name__)


class SequorOperator(BaseOperator):
    """Runs a flow.

    Args:
        project: The project's folder.
        flow: The flow, as its path below ``flows/`` without ``.yaml``.
        env: The environment whose variables are used.
        home: Where environments and the state of projects are kept. Workers share it, or the project keeps its state in a
            database (``state`` in ``project.yaml``): what a task's next try goes on with is there.
        variables: Variables of the flow; templates are rendered: ``{"day": "{{ ds }}"}``.
        options: More arguments of :meth:`sequor_engine.Project.run`: ``select``, ``dry_run``, ``replay``, ``timeout``.
    """

    template_fields: Sequence[str] = ("flow", "env", "variables")

    def __init__(
        self,
        *,
        project: str,
        flow: str,
        env: str | None = None,
        home: str | None = None,
        variables: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project = project
        self.flow = flow
        self.env = env
        self.home = home
        self.variables = dict(variables or {})
        self.options = dict(options or {})
        self._stop: Stop | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        self._stop = Stop()
        try:
            project = Project(self.project, env=self.env, home=self.home, vars=self.variables)
            resume = self._begun(project) if context["ti"].try_number > 1 else None
            if resume:
                log.info("going on with run %s", resume)
                result = project.run(self.flow, resume=resume, on_event=self._tell, stop=self._stop)
            else:
                result = project.run(self.flow, on_event=self._tell, stop=self._stop, **self.options)
        except ProjectError as error:
            # Another try finds the same mistakes.
            raise AirflowFailException(str(error)) from error
        except SequorError as error:
            raise AirflowException(str(error)) from error
        if not result.ok:
            raise AirflowException(f"flow {self.flow}: {result.status}: {result.error and result.error.message}")
        return result.to_dict()

    def on_kill(self) -> None:
        if self._stop is not None:
            self._stop.stop()

    def _begun(self, project: Project) -> str | None:
        """The flow's latest run, where it did not get to its end."""
        sql = "select run, flow, status from runs order by started desc"
        for run in project.query("_sequor", sql).to_pylist():
            if run["flow"] == self.flow:
                return None if run["status"] == "done" else str(run["run"])
        return None

    @staticmethod
    def _tell(event: dict[str, Any]) -> None:
        match event:
            case {"event": "printed" | "warning" as kind, "text": text}:
                log.log(logging.WARNING if kind == "warning" else logging.INFO, "%s", text)
            case {"event": "step_finished", "step": step, "status": status, "rows": rows, "requests": requests}:
                log.info("%s: %s, %d rows, %d requests", step, status, rows, requests)
