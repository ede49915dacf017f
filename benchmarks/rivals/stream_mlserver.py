"""The pair behind MLServer's Kafka server, in one process.

Its arguments are the brokers, the topic of V2 requests, that of answers, and a free port, behind
which two more are free.
"""

import asyncio
import logging
import sys

from mlserver import MLServer, ModelSettings, Settings

from benchmarks.rivals.peer_mlserver import Rides


async def main() -> None:
    """Serve."""
    brokers, source, sink, port = sys.argv[1:]
    settings = Settings(
        host="127.0.0.1", http_port=int(port), grpc_port=int(port) + 1, parallel_workers=0,
        metrics_endpoint=None, debug=False, use_structured_logging=False,
        kafka_enabled=True, kafka_servers=brokers, kafka_topic_input=source,
        kafka_topic_output=sink,
    )  # fmt: skip
    server = MLServer(settings)
    logging.disable(logging.INFO)  # a line each event
    await server.start([ModelSettings(name="ride", implementation=Rides)])


asyncio.run(main())
