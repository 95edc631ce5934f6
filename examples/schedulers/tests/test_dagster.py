"""The assets of a flow are materialized by one run, with their row counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import AssetKey, DagsterExecutionStepExecutionError, Definitions, Failure, materialize
from dagster_sequor import flow_assets


def test_tables_are_assets_with_their_row_counts(project: Path) -> None:
    assets = flow_assets(str(project), "orders", run={"replay": "recordings/orders"})
    assert Definitions(assets=[assets])
    orders, totals = AssetKey(["stage", "orders"]), AssetKey(["stage", "customer_totals"])
    assert assets.keys == {orders, totals}
    assert assets.asset_deps[totals] == {orders}
    result = materialize([assets])
    assert result.success
    counts = {
        event.asset_key: event.step_materialization_data.materialization.metadata["dagster/row_count"].value
        for event in result.get_asset_materialization_events()
    }
    assert counts == {orders: 3, totals: 2}


def test_a_flow_that_fails_is_a_failure(project: Path) -> None:
    (project / "flows/fails.yaml").write_text(
        "- op: transform\n  id: broken\n  source: stage\n  target_table: never\n  query: select 1 / 0 as a from nothing\n"
    )
    assets = flow_assets(str(project), "fails")
    with pytest.raises((Failure, DagsterExecutionStepExecutionError), match="nothing"):
        materialize([assets])
