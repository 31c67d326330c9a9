"""The AWS Common Runtime: signs for STS with what its default chain finds."""

import http.client
import io
import os
from urllib.parse import urlsplit

import protocol

from awscrt.auth import AwsCredentialsProvider, AwsSigningAlgorithm, AwsSigningConfig, aws_sign_request
from awscrt.http import HttpHeaders, HttpRequest

BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
ENDPOINT = urlsplit(os.environ["STS_ENDPOINT_URL"]).netloc

provider = AwsCredentialsProvider.new_default_chain()


def identity():
    headers = HttpHeaders(
        [
            ("Host", ENDPOINT),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(BODY))),
        ]
    )
    request = HttpRequest("POST", "/", headers, io.BytesIO(BODY))
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        credentials_provider=provider,
        region=os.environ["AWS_REGION"],
        service="sts",
    )
    aws_sign_request(request, config).result()
    connection = http.client.HTTPConnection(ENDPOINT)
    connection.request("POST", "/", BODY, dict(headers))
    response = connection.getresponse()
    answer = response.read().decode()
    if response.status != 200:
        raise RuntimeError(f"{response.status} {answer}")


protocol.serve(identity)
