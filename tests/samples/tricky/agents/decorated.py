"""Decorators, on functions and on methods."""


@client.on("decorated.a", "decorated.b")
def of_a_function(event):
    client.publish("from.decorated")


@client.respond("ask.price")
async def price(event):
    client.request("ask.tax", {})
    client.request("GET", "https://example.test/")
    async for one in client.stream("streamed.*"):
        print(one)


class Handlers:
    @router.on("method.decorated")
    def handle(self, event, default=router.publish("in.a.default")):
        pass
