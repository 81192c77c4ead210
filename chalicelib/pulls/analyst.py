"""Who reads pull requests: models that are asked, checked, and done without."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from chalicelib.config import AnalystName
from chalicelib.pulls import prompt
from chalicelib.pulls.analysis import Analysis, AnswerError, clip, read
from chalicelib.pulls.leaks import mask
from chalicelib.pulls.prompt import Prompt
from chalicelib.pulls.request import Request
from chalicelib.telemetry import log_error
from eventyard.core.errors import EventRouterError

#: A model thinks for half a minute; one that needs longer is not waited for.
CALL_S: Final = 60.0
#: All that one reading may take, tries and repair included.
READING_S: Final = 120.0
_TRIES: Final = 3
_PAUSE_S: Final = 1.0
_REASON: Final = 300


class AnalystError(EventRouterError):
    """A model gave no analysis; what it cost all the same is counted."""

    code = "analyst_failed"

    def __init__(self, message: str, tokens_in: int = 0, tokens_out: int = 0) -> None:
        super().__init__(message)
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out


class BusyError(AnalystError):
    """A model has no time now, and may have in a moment."""

    code = "analyst_busy"
    retryable = True


@dataclass(frozen=True, slots=True)
class Said:
    """What a model answered, and what that took."""

    text: str
    tokens_in: int
    tokens_out: int
    #: As the vendor names it.
    model: str
    #: Whether it had to stop before it was through.
    cut: bool = False


class Model(Protocol):
    """Asks one vendor once; raises AnalystError, or BusyError where that may pass."""

    @property
    def provider(self) -> AnalystName:
        """Return who the vendor is."""
        ...

    @property
    def model(self) -> str:
        """Return the model's name, as the settings have it."""
        ...

    def say(self, question: Prompt, timeout_s: float) -> Said:
        """Return what the model answers, whatever that is."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An analysis, who made it, and what it took."""

    analysis: Analysis
    analyst: AnalystName
    #: None: no model was asked.
    model: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    #: Which files were looked into.
    read: tuple[str, ...] = ()
    #: Why it was not who should have made it.
    fallback_reason: str | None = None


class Analyst(Protocol):
    """Reads a pull request."""

    @property
    def name(self) -> AnalystName:
        """Return who it is."""
        ...

    @property
    def key(self) -> str:
        """Return what tells apart in the cache who would answer differently."""
        ...

    def analyse(self, request: Request) -> Answer:
        """Return an analysis; raises AnalystError."""
        ...


@dataclass
class ModelAnalyst:
    """
    Asks a model, checks its answer, and asks once more when that is no analysis.

    What comes out says nothing of files that are not changed.
    """

    llm: Model
    budget: int
    call_s: float = CALL_S
    mark: Callable[[], str] = prompt.new_mark
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    @property
    def name(self) -> AnalystName:
        """Return whose model it is."""
        return self.llm.provider

    @property
    def key(self) -> str:
        """Return the vendor and the model."""
        return f"{self.llm.provider}/{self.llm.model}"

    def analyse(self, request: Request) -> Answer:
        """Return an analysis; raises AnalystError."""
        question = prompt.build(request, self.budget, self.mark)
        until = self.clock() + READING_S
        first = self._ask(question, until)
        try:
            analysis, spent = _understood(first), first
        except AnswerError as error:
            analysis, spent = self._repair(question, first, error, until)
        return Answer(
            analysis.held_to(request.files),
            self.name,
            spent.model,
            spent.tokens_in,
            spent.tokens_out,
            question.pressed.read,
        )

    def _repair(
        self, question: Prompt, first: Said, wrong: AnswerError, until: float
    ) -> tuple[Analysis, Said]:
        try:
            second = self._ask(question.again(first.text, wrong.message), until)
        except AnalystError as error:
            error.tokens_in += first.tokens_in
            error.tokens_out += first.tokens_out
            raise
        spent = replace(
            second,
            tokens_in=first.tokens_in + second.tokens_in,
            tokens_out=first.tokens_out + second.tokens_out,
        )
        try:
            return _understood(second), spent
        except AnswerError as error:
            raise AnalystError(
                f"The answer was none, twice: {error.message}",
                spent.tokens_in,
                spent.tokens_out,
            ) from None

    def _ask(self, question: Prompt, until: float) -> Said:
        for attempt in range(_TRIES):
            left = until - self.clock()
            if left <= 0:
                break
            try:
                return self.llm.say(question, min(self.call_s, left))
            except BusyError:
                if attempt + 1 == _TRIES:
                    raise
                self.sleep((0.5 + self.jitter() / 2) * _PAUSE_S * 2.0**attempt)
        raise AnalystError(f"No answer within {READING_S:g} s.")


def _understood(said: Said) -> Analysis:
    try:
        return read(said.text)
    except AnswerError as error:
        if said.cut:
            raise AnswerError("It was cut off before its end.") from error
        raise


@dataclass
class Fallback:
    """Lets the rules read what the analyst could not; it always answers."""

    analyst: Analyst
    offline: Analyst

    @property
    def name(self) -> AnalystName:
        """Return who should read."""
        return self.analyst.name

    @property
    def key(self) -> str:
        """Return who should read, and with which model."""
        return self.analyst.key

    def analyse(self, request: Request) -> Answer:
        """Return an analysis, and the reason if it is the rules'."""
        try:
            return self.analyst.analyse(request)
        except Exception as error:  # noqa: BLE001 - no fault of a vendor's may stop us
            log_error(
                "an analyst failed",
                error,
                analyst=self.analyst.name,
                repository=request.repository,
                number=request.number,
            )
            return self._instead(request, error)

    def _instead(self, request: Request, error: Exception) -> Answer:
        return replace(
            self.offline.analyse(request),
            tokens_in=getattr(error, "tokens_in", 0),
            tokens_out=getattr(error, "tokens_out", 0),
            fallback_reason=_reason(error),
        )


def _reason(error: Exception) -> str:
    # What we did not write ourselves may say anything.
    told = error.message if isinstance(error, EventRouterError) else ""
    return clip(mask(told) or type(error).__name__, _REASON)
