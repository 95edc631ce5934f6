"""A DAG of one task: the flow `orders`, each day."""

import os
from datetime import datetime, timedelta

from airflow_sequor import SequorOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

PROJECT = os.environ.get("SEQUOR_PROJECT", "/opt/flows/shop")

with DAG("orders", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False) as dag:
    SequorOperator(
        task_id="orders",
        project=PROJECT,
        flow="orders",
        variables={"day": "{{ ds }}"},
        # Without the network, for this example: leave it out.
        options={"replay": f"{PROJECT}/recordings/orders"},
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
