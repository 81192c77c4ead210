"""AWS clients, each made on first use, and the few shapes of their answers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

Item = dict[str, Any]


class Aws:
    """
    The clients of one process.

    Importing botocore costs 100 ms and a client some 40 more, so nothing here is
    imported or made before a trigger touches it. botocore rather than boto3: the
    same clients, 30 ms less.
    """

    @cached_property
    def session(self) -> Session:
        """Return the botocore session that all clients share."""
        from botocore.session import get_session

        return get_session()

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Return the DynamoDB client."""
        return self._client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> S3Client:
        """Return the S3 client."""
        # Without being told, botocore signs links in the old way, which AWS refuses.
        return self._client("s3", signature_version="s3v4")  # type: ignore[no-any-return]

    @cached_property
    def sns(self) -> SNSClient:
        """Return the SNS client."""
        return self._client("sns")  # type: ignore[no-any-return]

    @cached_property
    def sqs(self) -> SQSClient:
        """Return the SQS client."""
        return self._client("sqs")  # type: ignore[no-any-return]

    def bedrock(self, endpoint: str, read_timeout_s: float) -> Any:
        """
        Return a new client that asks models of Bedrock, once for each call.

        They think for longer than any other service does. Without an endpoint it is
        where AWS has it.
        """
        retries = {"mode": "standard", "total_max_attempts": 1}
        return self._client(
            "bedrock-runtime",
            endpoint or None,
            read_timeout=read_timeout_s,
            retries=retries,
        )

    def link(self, bucket: str, key: str, seconds: int, **told: str) -> str:
        """
        Return an address that gives an object to whoever has it, for so long.

        `told` are parameters of GetObject, such as `ResponseContentType`.
        """
        made: str = self.s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": bucket, "Key": key, **told},
            ExpiresIn=seconds,
        )
        return made

    def _client(self, service: str, endpoint: str | None = None, **more: Any) -> Any:
        from botocore.config import Config

        usual: Item = {
            "connect_timeout": 2,
            "read_timeout": 10,
            "retries": {"mode": "standard", "max_attempts": 4},
            "max_pool_connections": 32,
            "s3": {"addressing_style": "path"},
        }
        config = Config(**{**usual, **more})
        return self.session.create_client(service, endpoint_url=endpoint, config=config)


def is_condition_failure(error: Exception) -> bool:
    """Tell whether a conditional write found its condition unmet."""
    response = getattr(error, "response", {})
    code: str = response.get("Error", {}).get("Code", "")
    return code == "ConditionalCheckFailedException"


def is_too_large(error: Exception) -> bool:
    """Tell whether an update was refused because its item would be too large."""
    told = getattr(error, "response", {}).get("Error", {})
    return told.get("Code") == "ValidationException" and (
        "item size" in str(told.get("Message", "")).lower()
    )
