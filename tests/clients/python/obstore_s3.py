"""Rust's object_store lists the bucket, with what it finds in the environment."""

import os

import protocol

import obstore
from obstore.store import S3Store

store = S3Store(
    "bucket",
    endpoint=os.environ["S3_ENDPOINT_URL"],
    region=os.environ["AWS_REGION"],
    client_options={"allow_http": True},
)
protocol.serve(lambda: obstore.list(store).collect())
