"""A collector on loopback that takes OTLP over HTTP, as protobuf or as JSON."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple, Self

from tests.loopback import Server


class Span(NamedTuple):
    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    failed: bool
    start: int
    end: int
    resource: dict[str, Any]


class Collector:
    """Keeps every span and every point of a metric; answers 200, or as it is told."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        #: Name, value (a sum, or a histogram's count), attributes.
        self.points: list[tuple[str, float, dict[str, Any]]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        self.before: Callable[[], object] = lambda: None
        self._server = Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def named(self, name: str) -> list[Span]:
        return [span for span in [*self.spans] if span.name == name]

    def total(self, metric: str, **attributes: Any) -> float:
        """Add up what a metric was, with these attributes."""
        return sum(
            value
            for name, value, found in self.points
            if name == metric and attributes.items() <= found.items()
        )

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.requests.append((path, headers))
        if self.status != 200:
            return
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if path == "/v1/traces":
            self.spans += _spans(_traces(headers, body))
        elif path == "/v1/metrics":
            self.points += _points(_metrics(headers, body))


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.before()
            headers = {name.lower(): value for name, value in self.headers.items()}
            collector.take(self.path, headers, body)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _traces(headers: dict[str, str], body: bytes) -> Any:
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

    return _parsed(service.ExportTraceServiceRequest(), headers, body)


def _parsed(request: Any, headers: dict[str, str], body: bytes) -> Any:
    from google.protobuf import json_format

    if headers["content-type"].startswith("application/json"):
        # OTLP writes ids in hexadecimal; JSON of protobuf has bytes in base64. What
        # the message does not know is refused.
        json_format.ParseDict(_with_base64(json.loads(body)), request)
    else:
        request.ParseFromString(body)
    return request


def _with_base64(value: Any) -> Any:
    import base64

    if isinstance(value, list):
        return [_with_base64(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(one)).decode()
        if name in ("traceId", "spanId", "parentSpanId")
        else _with_base64(one)
        for name, one in value.items()
    }


def _spans(request: Any) -> list[Span]:
    return [
        Span(
            _attributes(resource.resource)["service.name"],
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            tuple((one.trace_id.hex(), one.span_id.hex()) for one in span.links),
            _attributes(span),
            span.status.code == 2,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            _attributes(resource.resource),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _metrics(headers: dict[str, str], body: bytes) -> Any:
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

    return _parsed(service.ExportMetricsServiceRequest(), headers, body)


def _points(request: Any) -> list[tuple[str, float, dict[str, Any]]]:
    found = []
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found += [
                    (metric.name, point.as_int or point.as_double, _attributes(point))
                    for point in metric.sum.data_points
                ]
                found += [
                    (metric.name, point.count, _attributes(point))
                    for point in metric.histogram.data_points
                ]
    return found


def _attributes(of: Any) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, str(one.value.WhichOneof("value")))
        for one in of.attributes
    }
