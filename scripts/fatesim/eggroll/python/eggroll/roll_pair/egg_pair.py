"""STAND-IN for eggroll's worker process: computes for one session, on a port of its own choice."""

import argparse
import concurrent.futures
import json
import random
import signal
import sys
import threading

import grpc

import eggroll.roll_pair  # PYTHONPATH has to lead to eggroll

IDLE_SECONDS = 600  # its session is long over


def split(seed, rows, partitions):
    """Splits numbers that are all 1 into two random shares, in partitions."""
    draw = random.Random(seed)
    send = [[] for _ in range(partitions)]
    keep = [[] for _ in range(partitions)]
    for row in range(rows):
        share = draw.random()
        send[row % partitions].append(share)
        keep[row % partitions].append(1 - share)
    return {"send": send, "keep": keep}


def run(request, _context):
    argument = json.loads(request)
    if argument["do"] == "split":
        result = split(argument["seed"], argument["rows"], argument["partitions"])
    elif argument["do"] == "sum":
        result = {"sum": sum(sum(numbers) for numbers in argument["lists"])}
    else:
        raise ValueError(f"cannot do {argument['do']}")
    return json.dumps(result).encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--session", required=True)
    parser.add_argument("--host", required=True)
    options = parser.parse_args()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=2),
                         options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    handler = grpc.unary_unary_rpc_method_handler(run)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("standin.EggPair", {"run": handler}),))
    port = server.add_insecure_port(f"{options.host}:0")
    server.start()
    print("port", port, flush=True)
    print(f"STAND-IN egg_pair of session {options.session} on port {port}", file=sys.stderr, flush=True)
    over.wait(IDLE_SECONDS)
    server.stop(None)


if __name__ == "__main__":
    main()
