"""minio-py lists buckets, with its provider for what a role gives; it has no default chain."""

import os
from urllib.parse import urlsplit

import protocol

from minio import Minio
from minio.credentials import IamAwsProvider

client = Minio(
    urlsplit(os.environ["S3_ENDPOINT_URL"]).netloc,
    secure=False,
    region=os.environ["AWS_REGION"],
    credentials=IamAwsProvider(),
)
protocol.serve(client.list_buckets)
