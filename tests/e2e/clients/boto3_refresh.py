"""One session that lives through a refresh: asks who it is, again and again, until it has signed with a second key.

Prints one line per key. An answer that is no answer ends it with a traceback."""

import time

import boto3

session = boto3.Session()
sts = session.client("sts")
keys = []
deadline = time.monotonic() + 60
while len(keys) < 2 and time.monotonic() < deadline:
    arn = sts.get_caller_identity()["Arn"]
    key = session.get_credentials().get_frozen_credentials().access_key
    if key not in keys:
        keys.append(key)
        print(key, arn, flush=True)
    time.sleep(0.1)
