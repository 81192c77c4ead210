"""How a client reaches a router: in this process, over HTTP, WebSocket, Redis, AWS."""
