"""Who am I? Asked of STS with whatever credentials aiobotocore finds by itself."""

import asyncio

from aiobotocore.session import get_session


async def main():
    async with get_session().create_client("sts") as sts:
        print((await sts.get_caller_identity())["Arn"])


asyncio.run(main())
