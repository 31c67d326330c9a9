"""Who am I? Asked of STS with whatever credentials boto3 finds by itself."""

import boto3

print(boto3.client("sts").get_caller_identity()["Arn"])
