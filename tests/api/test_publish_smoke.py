from __future__ import annotations


def connect(platform, connection_id="c1", **query):
    return platform.live.connect(
        {
            "requestContext": {
                "connectionId": connection_id,
                "domainName": "x.test",
                "stage": "api",
            },
            "queryStringParameters": query,
        }
    )


def test_an_event_published_over_http_reaches_a_live_dashboard(
    platform, http, pump, gateway
):
    assert connect(platform, events="user.*") == {"statusCode": 200}
    pump.run()

    told = http.post("/api/v1/events", {"type": "user.created", "payload": {"id": 1}})
    pump.run()

    assert told.status == 201
    hello, event = gateway.frames("c1")
    assert hello["type"] == "connection.established"
    assert event["event_id"] == told.json()["event_id"]
    assert event["data"] == {"id": 1}
