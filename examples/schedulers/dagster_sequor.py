"""Dagster assets of a flow: one for each table that it writes, with what they are made of, and their row counts.

    defs = Definitions(assets=[flow_assets("/opt/flows/shop", "orders")])
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import AssetExecutionContext, AssetKey, AssetsDefinition, AssetSpec, Failure, MaterializeResult, multi_asset
from sequor_engine import Plan, Project


def flow_assets(path: str, flow: str, *, run: Mapping[str, Any] | None = None, **project: Any) -> AssetsDefinition:
    """Returns the assets of a flow. One run makes all of them.

    Args:
        path: The project's folder.
        flow: The flow.
        run: Arguments of :meth:`sequor_engine.Project.run`.
        project: Arguments of :class:`sequor_engine.Project`: ``env``, ``vars``, ``home``.
    """
    opened = Project(path, **project)
    tables = written(opened.plan(flow))

    @multi_asset(
        name=flow.replace("/", "__"),
        specs=[
            AssetSpec(key, deps=sorted(made["from"]), kinds={"sequor"}, description=f"written by {', '.join(made['by'])}")
            for key, made in tables.items()
        ],
        can_subset=False,
    )
    def materialize(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        def tell(event: dict[str, Any]) -> None:
            if event["event"] == "step_finished":
                context.log.info(f"{event['step']}: {event['status']}, {event['rows']} rows")

        result = opened.run(flow, on_event=tell, **(run or {}))
        if not result.ok:
            error = result.error
            raise Failure(
                description=error.message if error else result.status,
                metadata={"run": result.run_id or "", "code": error.code if error else ""},
                # A mistake in the flow is one the next time, too.
                allow_retries=result.resumable,
            )
        for key, made in tables.items():
            steps = [result.step(step) for step in made["by"] if any(step == ran.step for ran in result.steps)]
            metadata = {
                "dagster/row_count": sum(step.rows for step in steps),
                "requests": sum(step.requests for step in steps),
                "seconds": sum(step.seconds for step in steps),
                "run": result.run_id or "",
            }
            yield MaterializeResult(asset_key=key, metadata=metadata)

    return materialize


def written(plan: Plan) -> dict[AssetKey, dict[str, Any]]:
    """Returns the tables that a plan writes: by which steps, and from which tables."""
    tables: dict[AssetKey, dict[str, Any]] = {}
    for step in plan["root"]["steps"]:
        for resource in step["writes"]:
            if isinstance(resource, dict) and "table" in resource:
                made = tables.setdefault(asset_key(resource["table"]), {"by": [], "from": set()})
                made["by"].append(step["id"])
                made["from"] |= {asset_key(read["table"]) for read in step["reads"] if isinstance(read, dict) and "table" in read}
    for key, made in tables.items():
        made["from"].discard(key)
    return tables


def asset_key(table: Mapping[str, Any]) -> AssetKey:
    names = [table["source"], table.get("database"), table.get("namespace"), table["table"]]
    return AssetKey([name for name in names if name])
