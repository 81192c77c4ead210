"""
The way of an event, moved by hand: deterministic, no sleeps, no threads.

On moto an event source mapping would delete messages unprocessed, so the tests carry
them: the table's stream into `relay`, each queue into its handler.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from tests.stack import client

_HANDLERS = {
    "routing": ("router", "route"),
    "live": ("live", "fan_out"),
    "chores": ("chores", "run"),
    "deliveries": ("subscribed.work", "handle"),
    "urgent": ("subscribed.work", "handle"),
    "pulls": ("pulls.follower", "follow"),
    "insights": ("pulls.insights", "run"),
    "jobs": ("jobs.work", "run"),
    "scraping": ("jobs.scraping", "run"),
}


class Pump:
    def __init__(self, platform: Any) -> None:
        self.platform = platform
        #: Queues that a test leaves as they are.
        self.left: set[str] = set()
        self._streams = client("dynamodbstreams")
        self._sqs = client("sqs")
        self._iterator = self._latest()

    def run(self) -> None:
        """Carry everything until nothing moves any more."""
        self.relay()
        while any(self.queue(name) for name in _HANDLERS if name not in self.left):
            self.relay()

    def _latest(self) -> str:
        table = client("dynamodb").describe_table(
            TableName=self.platform.settings.table
        )["Table"]
        arn = table["LatestStreamArn"]
        stream = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]
        return self._streams.get_shard_iterator(
            StreamArn=arn,
            ShardId=stream["Shards"][0]["ShardId"],
            ShardIteratorType="LATEST",
        )["ShardIterator"]

    def records(self) -> list[Any]:
        """Take the new stream records that the relay's filter lets through."""
        page = self._streams.get_records(ShardIterator=self._iterator)
        self._iterator = page["NextShardIterator"]
        return [
            record
            for record in page["Records"]
            if record["eventName"] == "INSERT"
            and record["dynamodb"]["Keys"]["pk"]["S"].startswith("log#")
        ]

    def relay(self, records: list[Any] | None = None) -> Any:
        """Hand stream records to the relay."""
        taken = self.records() if records is None else records
        return self.platform.relay.relay_stream({"Records": taken}) if taken else None

    def messages(self, name: str) -> list[Any]:
        """Take messages off a queue, as Lambda would hand them on."""
        url = getattr(self.platform.settings, f"{name}_queue_url")
        found = self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30
        ).get("Messages", [])
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
            }
            for message in found
        ]

    def queue(self, name: str) -> int:
        """Handle one batch of a queue; delete what succeeded; return how many came."""
        records = self.messages(name)
        if records:
            self.handle(name, records)
        return len(records)

    def handle(self, name: str, records: list[Any]) -> set[str]:
        """Hand records to the queue's handler; return the ids it reports as failed."""
        service, verb = _HANDLERS[name]
        handle = attrgetter(f"{service}.{verb}")(self.platform)
        answer = handle({"Records": records})
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        url = getattr(self.platform.settings, f"{name}_queue_url")
        for record in records:
            if record["messageId"] not in failed:
                self._sqs.delete_message(
                    QueueUrl=url, ReceiptHandle=record["receiptHandle"]
                )
        return failed
