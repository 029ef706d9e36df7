"""STAND-IN for eggroll's worker process: computes for one session, on a port of its own choice."""

import argparse
import concurrent.futures
import json
import os
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


class Matrix:
    """The rows of a session, each column with mean 0 and deviation 1."""

    def __init__(self):
        self.columns = []

    def load(self, rows):
        self.columns = []
        for values in zip(*rows):
            mean = sum(values) / len(values)
            deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5 or 1.0
            self.columns.append([(v - mean) / deviation for v in values])
        return len(rows)

    def score(self, weights):
        """Sums of weighted columns; a weight more than there are columns is the intercept."""
        intercept = weights[len(self.columns)] if len(weights) > len(self.columns) else 0.0
        return [intercept + sum(w * v for w, v in zip(weights, row)) for row in zip(*self.columns)]

    def gradient(self, off, intercept):
        columns = self.columns + ([[1.0] * len(off)] if intercept else [])
        return [sum(o * v for o, v in zip(off, column)) / len(off) for column in columns]

    def divide(self, first, second):
        """The division of the rows by a bound of a column that gains most, by second-order gradients."""
        whole = sum(first) ** 2 / (sum(second) + 1)
        best = {"gain": float("-inf"), "column": 0, "bound": 0.0}
        for number, column in enumerate(self.columns):
            ordered = sorted(range(len(column)), key=column.__getitem__)
            left_first = left_second = 0.0
            for i, after in zip(ordered, ordered[1:]):
                left_first, left_second = left_first + first[i], left_second + second[i]
                if column[i] == column[after]:
                    continue
                right_first, right_second = sum(first) - left_first, sum(second) - left_second
                gain = left_first ** 2 / (left_second + 1) + right_first ** 2 / (right_second + 1) - whole
                if gain > best["gain"]:
                    best = {"gain": gain, "column": number, "bound": (column[i] + column[after]) / 2}
        return {**best, "left": self.side(best["column"], best["bound"])}

    def side(self, column, bound):
        return [v <= bound for v in self.columns[column]]


MATRIX = Matrix()  # an egg_pair is of one session


def run(request, _context):
    argument = json.loads(request)
    do = argument.pop("do")
    if do == "split":
        result = split(**argument)
    elif do == "sum":
        result = {"sum": sum(sum(numbers) for numbers in argument["lists"])}
    elif do == "columns":
        result = {"result": len(MATRIX.columns)}
    elif do in ("load", "score", "gradient", "divide", "side"):
        result = {"result": getattr(MATRIX, do)(**argument)}
    else:
        raise ValueError(f"cannot do {do}")
    return json.dumps(result).encode()


def report(options, port):
    """Tells the nodemanager that the processor runs, and where."""
    state = {"processor": options.processor_id, "pid": os.getpid(), "port": port}
    request = b"".join(field(n, v) for n, v in ((2, "v1/node-manager/processor/heartbeat"), (3, json.dumps(state))))
    with grpc.insecure_channel(f"127.0.0.1:{options.node_manager}") as channel:
        channel.unary_unary("/com.webank.eggroll.core.command.CommandService/call")(request, timeout=20)


def field(number, text):
    """One length-delimited field of a protobuf message."""
    value, size, prefix = text.encode(), len(text.encode()), bytes([number << 3 | 2])
    while size > 127:
        prefix, size = prefix + bytes([size & 127 | 128]), size >> 7
    return prefix + bytes([size]) + value


def main():
    parser = argparse.ArgumentParser()
    for name in ("--config", "--session-id", "--server-node-id", "--node-manager", "--processor-id"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=2),
                         options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    handler = grpc.unary_unary_rpc_method_handler(run)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("standin.EggPair", {"run": handler}),))
    port = server.add_insecure_port("0.0.0.0:0")
    server.start()
    print(f"STAND-IN egg_pair {options.processor_id} of session {options.session_id} on port {port}", file=sys.stderr, flush=True)
    report(options, port)
    over.wait(IDLE_SECONDS)
    server.stop(None)


if __name__ == "__main__":
    main()
