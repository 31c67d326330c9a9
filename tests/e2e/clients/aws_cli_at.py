"""The AWS CLI under a clock that stands: many command lines in one process, since each start of it takes a second.

stdin: a JSON list of {"time": UNIX SECONDS, "environment": {...}, "arguments": [...]}, stdout: one of {"code", "stdout",
"stderr"} for each."""

import contextlib
import datetime
import io
import json
import os
import sys

import awscli.clidriver
import awscli.customizations.eks.get_token
import botocore.auth

ENVIRONMENT = dict(os.environ)


def run(case):
    def now(remove_tzinfo=True):
        time = datetime.datetime.fromtimestamp(case["time"], datetime.timezone.utc)
        return time.replace(tzinfo=None) if remove_tzinfo else time

    botocore.auth.get_current_datetime = now
    awscli.customizations.eks.get_token.get_current_datetime = now
    os.environ.clear()
    os.environ.update(ENVIRONMENT, **case["environment"])
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = awscli.clidriver.create_clidriver().main(case["arguments"])
    return {"code": code, "stdout": stdout.getvalue(), "stderr": stderr.getvalue()}


json.dump([run(case) for case in json.load(sys.stdin)], sys.stdout)
