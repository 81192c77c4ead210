"""Publishing to SNS, where one message that it refuses costs only itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Aws
from chalicelib.events.messages import Message, calls_of
from chalicelib.telemetry import log as log_line
from eventyard.core.errors import EventRouterError

#: Codes by which SNS says that the message is at fault, and will be next time.
_AT_FAULT: Final = frozenset(
    {"InvalidParameter", "InvalidParameterValue", "BatchRequestTooLong"}
)


class RefusedError(EventRouterError):
    """SNS will never take this message."""

    code = "refused_by_sns"


#: A message that did not go out, by name; the error says that it never will.
Unsent = tuple[str, RefusedError | None]


@dataclass(frozen=True, slots=True)
class Topic:
    """The one topic that all events go out through."""

    aws: Aws
    arn: str

    def publish(self, messages: Iterable[Message]) -> Iterator[Unsent]:
        """
        Publish messages; yield those that did not go out.

        Raises what botocore raises when SNS takes nothing at all.
        """
        for call in calls_of(messages):
            yield from self._publish(call)

    def _publish(self, call: Sequence[Message]) -> Iterator[Unsent]:
        try:
            answer = self.aws.sns.publish_batch(
                TopicArn=self.arn,
                PublishBatchRequestEntries=[
                    {
                        "Id": message.name,
                        "Message": message.body,
                        "MessageAttributes": message.attributes,
                    }
                    for message in call
                ],
            )
        except self.aws.sns.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _AT_FAULT:
                raise
            yield from self._one_by_one(call, str(error))
            return
        for failure in answer.get("Failed", []):
            log_line("a message was not published", **failure)
            at_fault = failure.get("SenderFault", False)
            reason = RefusedError(failure.get("Message")) if at_fault else None
            yield failure["Id"], reason

    def _one_by_one(self, call: Sequence[Message], reason: str) -> Iterator[Unsent]:
        # One bad message makes SNS refuse the whole call: find it.
        if len(call) == 1:
            yield call[0].name, RefusedError(reason)
            return
        for message in call:
            yield from self._publish([message])
