"""OpenDAL lists the bucket, with what its signer reqsign finds by default."""

import os

import protocol

import opendal

operator = opendal.Operator(
    "s3",
    bucket="bucket",
    endpoint=os.environ["S3_ENDPOINT_URL"],
    region=os.environ["AWS_REGION"],
)
protocol.serve(lambda: list(operator.list("/")))
