"""A tiny HTTP/1.1 server with one simulated worker, to test the load generator and the profiler.

It is a process of its own, so that it does not share an event loop with the code under test:
`python answering_server.py --port 0 --service-ms 2` prints its port. The last part of a path
selects a misbehaviour.
"""

import argparse
import asyncio
import json

METADATA = {
    "name": "glyphs",
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 32, 32]}],
    "parameters": {"accuracy": "0.861"},
}
GETS = {
    "/v2": json.dumps({"name": "tiny", "version": "1"}),
    "/v2/health/ready": "{}",
    "/v2/models/glyphs": json.dumps(METADATA),
    "/v2/models/other": "[]",
    "/metrics": 'infadapter_server_load_seconds{variant="v"} 1.25\n'
    'infadapter_server_arrivals_total{variant="v"} %d\n',
}
ANSWERS = {"point": '{"parameters":{"point":"deep","accuracy":0.9}}'}
TOGETHER = 3  # requests of this kind are answered only when so many have arrived
CODES = {"refuse": 503, "fail": 500, "wrong": 400}


class Server:
    def __init__(self, service_s: float) -> None:
        self.service_s = service_s
        self.arrivals = 0
        self.worker = asyncio.Lock()
        self.together = asyncio.Barrier(TOGETHER)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = head.partition("content-length: ")[2].partition("\r\n")[0]
        await reader.readexactly(int(length or 0))
        method, path, _ = head.split(" ", 2)
        if method == "get":
            said = GETS.get(path, "{}")
            said = said % self.arrivals if path == "/metrics" else said
            writer.write(answer(200 if path in GETS else 404, said))
            return True
        self.arrivals += 1
        return await self.infer(path.rpartition("/")[2], writer)

    async def infer(self, word: str, writer: asyncio.StreamWriter) -> bool:
        if word == "hang":
            await asyncio.sleep(600)
        if word == "together":
            await self.together.wait()
        if word == "break":
            writer.write(b"SPAM\r\n\r\n")
        if word in ("break", "vanish"):
            return False
        if word in CODES:
            writer.write(answer(CODES[word], '{"error": "no, thank you"}'))
            return True
        async with self.worker:
            await asyncio.sleep(self.service_s)
        body = ANSWERS.get(word, "{}")
        writer.write(answer(200, body, "connection: close\r\n" if word == "close" else ""))
        return word != "close"


def answer(code: int, body: str, more: str = "") -> bytes:
    head = f"HTTP/1.1 {code} X\r\nInfAdapter-Variant: tiny\r\ncontent-length: {len(body)}\r\n"
    return (head + more + "\r\n" + body).encode()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--service-ms", type=float, default=0)
    options = parser.parse_args()
    tiny = Server(options.service_ms / 1e3)
    server = await asyncio.start_server(tiny.serve, "127.0.0.1", options.port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
