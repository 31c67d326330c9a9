"""boto 2, which knows instance metadata and nothing newer, signing for an STS operation that it has no method for."""

import os
from urllib.parse import urlsplit

import protocol

import boto.sts
from boto.regioninfo import RegionInfo

connection = None


def identity():
    global connection
    if connection is None:
        endpoint = urlsplit(os.environ["STS_ENDPOINT_URL"])
        region = RegionInfo(name=os.environ["AWS_REGION"], endpoint=endpoint.hostname)
        connection = boto.sts.STSConnection(region=region, port=endpoint.port, is_secure=False)
        # It would read both from the host's name.
        connection.auth_service_name = "sts"
        connection.auth_region_name = region.name
    response = connection.make_request("GetCallerIdentity", {}, "/", "POST")
    body = response.read()
    if response.status != 200:
        raise connection.ResponseError(response.status, response.reason, body)


protocol.serve(identity)
