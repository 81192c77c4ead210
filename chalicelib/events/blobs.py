"""Payloads too large for an item, in S3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chalicelib.aws import Aws
from eventyard.core.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

#: The most objects that S3 removes in one call.
_AT_ONCE: Final = 1_000


class MissingPayloadError(NotFoundError):
    """A payload that the log points at is not in the bucket."""

    code = "payload_missing"


@dataclass(frozen=True, slots=True)
class Blobs:
    """
    Texts in the bucket, addressed as `s3://bucket/payloads/<ulid>.json`.

    An address is only ever read back when it is one of ours: an event may carry a
    `dataref` of its publisher's, which is data to us.
    """

    aws: Aws
    bucket: str

    @property
    def _prefix(self) -> str:
        return f"s3://{self.bucket}/payloads/"

    def holds(self, address: str | None) -> bool:
        """Tell whether the address is one of ours."""
        return address is not None and address.startswith(self._prefix)

    def put(self, name: str, text: str) -> str:
        """Store a text under a ULID and return its address."""
        self.aws.s3.put_object(
            Bucket=self.bucket,
            Key=f"payloads/{name}.json",
            Body=text.encode(),
            ContentType="application/json",
        )
        return self.address(name)

    def address(self, name: str) -> str:
        """Return the address of the text under a ULID."""
        return f"{self._prefix}{name}.json"

    def get(self, address: str) -> str:
        """Read a text by its address; raise MissingPayloadError when it is gone."""
        key = address.removeprefix(f"s3://{self.bucket}/")
        try:
            answer = self.aws.s3.get_object(Bucket=self.bucket, Key=key)
        except self.aws.s3.exceptions.NoSuchKey:
            raise MissingPayloadError(details={"dataref": address}) from None
        return answer["Body"].read().decode()

    def remove(self, names: Sequence[str]) -> None:
        """
        Remove texts by their ULIDs, those that are there: one call for each 1,000.

        Raises UnavailableError when S3 kept any of them.
        """
        for start in range(0, len(names), _AT_ONCE):
            keys: list[ObjectIdentifierTypeDef] = [
                {"Key": f"payloads/{name}.json"}
                for name in names[start : start + _AT_ONCE]
            ]
            answer = self.aws.s3.delete_objects(
                Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True}
            )
            if answer.get("Errors"):
                raise UnavailableError(f"S3 kept payloads: {answer['Errors'][0]}")
