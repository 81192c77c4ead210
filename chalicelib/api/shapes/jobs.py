"""Jobs: what is submitted, how it does, what came of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.api.shapes._base import Answer, Moment

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
Share = Annotated[float, Field(ge=0, le=1, description="How much is done.")]
#: What services bring of their own stands beside what all have.
_OPEN: Any = ConfigDict(extra="allow")
Live = Annotated[
    str, Field(description="Connect to `/ws/jobs` with this `cursor` and miss nothing.")
]


class NewJob(BaseModel):
    """A job: what its service asks for, and how it is to be queued."""

    model_config = _OPEN

    priority: int = Field(
        1,
        description="1 to 10, higher first; what is beyond becomes the nearest.",
        examples=[5],
    )
    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="As the header `Idempotency-Key`: a second try within a day is "
        "answered with the first.",
    )
    singleton_key: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Of the jobs with this key one at a time is unfinished; whoever "
        "submits another is answered with it.",
    )
    expires_in_s: float | None = Field(
        None,
        gt=0,
        le=31_622_400,
        description="It fails when nobody began it within so many seconds.",
    )
    repeat_every_s: float | None = Field(
        None,
        ge=60,
        le=31_622_400,
        description="When it has completed or failed, another one waits to be begun so "
        "many seconds after this one's turn; cancelling that one ends it.",
        examples=[86_400],
    )


class NewScrape(NewJob):
    """A site to scrape, and how it is to be queued."""

    url: str = Field(examples=["https://example.com/"])
    max_pages: int = Field(
        10, ge=1, le=1_000, description="Pages that were read; failures do not count."
    )
    timeout_s: float = Field(10, ge=1, le=300, description="Of one request.")
    same_origin_only: bool = Field(
        True, description="Stay on the site that the start leads to."
    )
    mode: Literal["crawl", "sitemap"] = Field(
        "crawl", description="Follow links, or read what the site's sitemaps list."
    )
    delay_s: float = Field(
        0,
        ge=0,
        le=60,
        description="How far apart requests to a host are, where that is more than "
        "usual.",
    )
    redact: Literal["none", "mask", "hash"] = Field(
        "none", description="What is done to emails and phones before they are kept."
    )
    retention_days: float | None = Field(
        None,
        le=365,
        description="How long the job and its pages are kept when it has ended; a "
        "week by default, an hour at least.",
    )
    compare_with: str | None = Field(
        None,
        max_length=64,
        description="A job of the scraper to tell the difference to; a job that "
        "repeats another is compared with that.",
    )


class SubmittedJob(Answer):
    """A job was taken, or is there already."""

    success: Literal[True]
    job_id: str = Field(examples=["job_01J00000000000000000000000"])
    task_id: str
    status: Literal["submitted"]
    queue_position: int | None = Field(
        description="How many are begun up to it; null: over a thousand, or none."
    )
    deduplicated: bool = Field(description="One of its keys was known: it is that job.")
    error: None


class RefusedJob(Answer):
    """Why something was not done with a job."""

    success: Literal[False]
    error: str
    job_id: str | None
    status: str = Field(
        description="`rejected`, or the state that is in the way.",
        examples=["rejected"],
    )


class MissingJob(Answer):
    """There is no such job."""

    job_id: str | None
    status: Literal["not_found"]
    error: str


class CancelledJob(Answer):
    """A job was cancelled, or stops at its next step."""

    success: Literal[True]
    job_id: str
    status: Status
    message: str


class Job(Answer):
    """A job."""

    job_id: str = Field(examples=["job_01J00000000000000000000000"])
    task_id: str
    service_name: str = Field(examples=["scraper"])
    status: Status
    priority: int
    progress: Share
    facts: dict[str, Any] = Field(description="What its service tells besides.")
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    assigned_node: str | None = Field(description="The worker that did it last.")
    attempts: int
    next_try_at: Moment | None = Field(
        description="While it waits: when it is tried again, or goes on after a pause."
    )
    expires_at: Moment | None
    repeat_every_s: float | None = Field(description="How far its turns are apart.")
    previous_job_id: str | None = Field(description="The job that it repeats.")
    next_job_id: str | None = Field(description="The job that repeats it.")
    data: dict[str, Any] | None = Field(description="What was asked for.")
    result: dict[str, Any] | None
    error: str | None = Field(description="Why it failed, or its last try did.")
    submitted_by: str
    queue_position: int | None
    cancel_requested: bool


class ListedJob(Job):
    """A job in a list."""

    large: list[Literal["data", "result"]] = Field(
        description="What is left out here for its size: ask for the job."
    )


class SeedJobs(Answer):
    """Jobs of a service, the newest first."""

    jobs: list[ListedJob]
    total: int = Field(description="How many these are.")
    timestamp: Moment
    cursor: str | None


class PastJob(Answer):
    """What became of a job; what was asked for stands beside it."""

    model_config = _OPEN

    job_id: str
    status: Status
    progress: Share
    assigned_node: str | None
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    result: dict[str, Any] | None
    error: str | None


class JobHistory(Answer):
    """What became of jobs, the newest first."""

    history: list[PastJob]
    total: int = Field(description="How many these are.")
    timestamp: Moment
    cursor: str | None


class JobResults(Answer):
    """
    What came of a job.

    Its rows stand under the name that the service has for them (`results_by_url` for
    the scraper), their number beside them (`total_urls_crawled`; rows with an error
    are counted in `failed_results`), and what was asked for as well.
    """

    model_config = _OPEN

    job_id: str
    status: Status
    progress: Share
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    result: dict[str, Any] | None
    failed_results: int
    cursor: str | None


class ServiceCounts(Answer):
    """What was done by a service since it was first heard of."""

    total_jobs: int
    successful_jobs: int
    failed_jobs: int
    cancelled_jobs: int
    active_jobs: int
    success_rate: float = Field(description="In per cent of what ended by itself.")
    failure_rate: float
    created_at: Moment


class Dispatched(Answer):
    """What workers did."""

    total_dispatched: int
    successful_dispatches: int
    failed_dispatches: int
    success_rate: float
    failure_rate: float
    queue_size: int
    available_workers: int
    total_workers: int


class Cluster(Answer):
    """Who works now."""

    status: Literal["ready"]
    nodes: int
    jobs: int


class ServiceStats(Answer):
    """How a service does."""

    service_name: str
    stats: ServiceCounts
    dispatcher: Dispatched
    dispy_cluster: Cluster
    queue_size: int
    timestamp: Moment


class JobService(Answer):
    """A job service."""

    name: str = Field(examples=["scraper"])
    path: str = Field(examples=["/api/scrapers"])


class Jobs(Answer):
    """Jobs of all services, the newest first."""

    jobs: list[ListedJob]
    services: list[JobService]
    cursor: str | None
    live: Live


class OneJob(Answer):
    """A job."""

    job: Job


class Worker(Answer):
    """Somebody who does jobs: one invocation of a function."""

    id: str
    queue: str
    capabilities: list[str]
    state: Literal["busy", "ended", "lost"] = Field(
        description="`lost`: nothing was heard of it for 30 s."
    )
    job_id: str
    service_name: str
    started_at: Moment
    heartbeat_at: Moment
    ended_at: Moment | None


class Workers(Answer):
    """Who does jobs, or did within an hour, the newest first."""

    workers: list[Worker]


class JobNews(Answer):
    """How a job is now; what its service tells besides stands beside it."""

    model_config = _OPEN

    service_name: str
    job_id: str
    status: Status
    progress: Share
    priority: int
    attempts: int
    assigned_node: str | None
    submitted_by: str
    revision: int = Field(description="Rises with each change of the job.")
    error: str | None = None
