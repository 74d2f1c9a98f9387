"""Copies public.flight of SOURCE_URL into bare.landed of WAREHOUSE_URL by dlt, and prints the seconds that it took."""

import os
import time

import dlt
from dlt.sources.sql_database import sql_table

pipeline = dlt.pipeline(
    pipeline_name="bench",
    pipelines_dir=os.environ["PIPELINES"],
    destination=dlt.destinations.postgres(os.environ["WAREHOUSE_URL"]),
    dataset_name="bare",
)
flights = sql_table(
    credentials=os.environ["SOURCE_URL"],
    schema="public",
    table="flight",
    backend="connectorx",
)
start = time.monotonic()
pipeline.run(flights, table_name="landed", write_disposition="append", loader_file_format="csv")
print(time.monotonic() - start)
