"""Graphs larger than a request may be: put into the bucket, then taken from there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Aws
from eventyard.core import ulid
from eventyard.core.errors import (
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
)
from eventyard.core.wire import loads

#: The most bytes an upload may have.
LIMIT: Final = 100_000_000
#: How long its address works.
SECONDS: Final = 900
_FOLDER: Final = "uploads/"
_KEY: Final = re.compile(r"uploads/[0-9A-Z]{26}\.json")
_MEDIA: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Uploads:
    """Objects under `uploads/`, each for one push; the bucket forgets what is left."""

    aws: Aws
    bucket: str

    def start(self, size: int | None) -> dict[str, Any]:
        """
        Return where to PUT the body of a push, and the key that names it afterwards.

        With its `size` in bytes, nothing of another size is taken.
        """
        if size is not None and size > LIMIT:
            raise _too_large(size)
        key = f"{_FOLDER}{ulid.new_ulid()}.json"
        exactly = {} if size is None else {"ContentLength": size}
        url = self.aws.s3.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self.bucket,
                "Key": key,
                "ContentType": _MEDIA,
                **exactly,
            },
            ExpiresIn=SECONDS,
        )
        return {
            "upload": key,
            "method": "PUT",
            "url": url,
            "headers": {"Content-Type": _MEDIA},
            "expires_in": SECONDS,
            "max_bytes": LIMIT,
        }

    def read(self, key: Any) -> Any:
        """
        Return the JSON value of an upload.

        Raises NotFoundError, PayloadTooLargeError or InvalidRequestError.
        """
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise InvalidRequestError(
                "upload must be the key that POST /api/graph/uploads answered with."
            )
        s3 = self.aws.s3
        try:
            answer = s3.get_object(Bucket=self.bucket, Key=key)
        except s3.exceptions.NoSuchKey:
            raise NotFoundError(
                "There is no such upload: PUT the content first, and push it once."
            ) from None
        if answer["ContentLength"] > LIMIT:
            raise _too_large(answer["ContentLength"])
        return loads(answer["Body"].read())

    def remove(self, key: str) -> None:
        """Remove an upload that was taken."""
        self.aws.s3.delete_object(Bucket=self.bucket, Key=key)


def _too_large(size: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"An upload may have {LIMIT} bytes, not {size}.",
        details={"limit": LIMIT, "bytes": size},
    )
