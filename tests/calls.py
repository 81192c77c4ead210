"""What a platform asks of AWS, call by call."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Calls:
    """
    The names of the operations, in order.

    It hears those clients alone that are made after it, so it must come first.
    """

    def __init__(self, aws: Any) -> None:
        assert not {"dynamodb", "s3", "sns", "sqs"} & set(aws.__dict__)
        self.made: list[str] = []
        aws.session.register("before-call.*.*", self._note)

    def _note(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)

    def clear(self) -> None:
        self.made.clear()

    @property
    def counted(self) -> dict[str, int]:
        return dict(Counter(self.made))
