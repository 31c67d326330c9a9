"""Arrow's S3 file system: the SDK for C++, which lists the bucket with what its default chain finds."""

import os
from urllib.parse import urlsplit

import protocol

from pyarrow.fs import FileSelector, S3FileSystem

file_system = None


def identity():
    global file_system
    if file_system is None:
        file_system = S3FileSystem(
            region=os.environ["AWS_REGION"],
            scheme="http",
            endpoint_override=urlsplit(os.environ["S3_ENDPOINT_URL"]).netloc,
        )
    file_system.get_file_info(FileSelector("bucket"))


protocol.serve(identity)
