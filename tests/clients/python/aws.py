"""boto3 or botocore, whichever is installed, in any version: STS, with what the default chain finds."""

import datetime
import os

import protocol

import botocore.session

try:
    from boto3.session import Session
except ImportError:
    Session = None

client = None


def new_client():
    endpoint = os.environ["STS_ENDPOINT_URL"]
    if Session:
        return Session().client("sts", endpoint_url=endpoint)
    # botocore 1.5 reads no AWS_REGION.
    region = os.environ["AWS_REGION"]
    return botocore.session.get_session().create_client("sts", region_name=region, endpoint_url=endpoint)


def identity():
    global client
    if client is None:
        client = new_client()
    client.get_caller_identity()


def later(seconds):
    # Signatures have another clock.
    credentials = client._request_signer._credentials
    now = credentials._time_fetcher
    credentials._time_fetcher = lambda: now() + datetime.timedelta(seconds=int(seconds))


protocol.serve(identity, later)
