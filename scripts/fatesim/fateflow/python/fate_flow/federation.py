"""Calls between parties: commands of flow to flow, and data of worker to worker, all through the own rollsite."""

import concurrent.futures
import itertools
import json
import os
import time

import grpc

from fate_flow import database, log, wire

SERVICE = "com.webank.ai.eggroll.api.networking.proxy.DataTransferService"
LARGEST = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
COMMAND_SECONDS = 30  # remote_request_timeout
TRIES = 3  # REQUEST_TRY_TIMES

_commands = {}  # path prefix -> function(path, body)
_conf = None


class FederatedError(Exception):
    """A call to another party that did not come back well."""


class CommandCallError(Exception):
    """eggroll's client could not have a command carried out."""


class PartyError(FederatedError):
    """A call that the other party's flow has answered with an error."""


def command(prefix):
    """Registers what other parties' flows may call."""
    def register(function):
        _commands[prefix] = function
        return function
    return register


class Workers(concurrent.futures.ThreadPoolExecutor):
    """As many workers as the real one has: five for each processor. It writes for every call after the first ones that
    their number is exceeded."""

    def __init__(self):
        super().__init__(max_workers=(os.cpu_count() or 1) * 5)
        self._calls = itertools.count(1)

    def submit(self, *args, **kwargs):
        if next(self._calls) > self._max_workers:
            log.stat.info("the number of max workers %d has been exceeded, worker queue size is %d", self._max_workers, self._work_queue.qsize())
        return super().submit(*args, **kwargs)


def serve(conf):
    global _conf
    _conf = conf
    server = grpc.server(Workers(), options=LARGEST)
    handler = grpc.unary_unary_rpc_method_handler(_unary_call)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"unaryCall": handler}),))
    # Raises when the address is taken or is not of this machine.
    if server.add_insecure_port(f"{conf.get('fateflow.host')}:{conf.get('fateflow.grpc_port')}") == 0:
        raise OSError("cannot listen for grpc")
    server.start()
    return server


def _unary_call(request, _context):
    path, value = wire.body(request)
    try:
        function = next(f for prefix, f in _commands.items() if path.startswith(prefix))
        result = function(path, json.loads(value or b"{}"))
    except StopIteration:
        result = {"retcode": 100, "retmsg": f"unknown command {path}"}
    except Exception as e:
        log.stat.exception("command %s failed", path)
        result = {"retcode": 100, "retmsg": repr(e)}
    return wire.packet(b"", b"", "", "POST", path, json.dumps(result))


def _method(channel, name, kind="unary_unary", service=SERVICE):
    return getattr(channel, kind)(f"/{service}/{name}")


def call(party, path, body, job_id=""):
    """Has a party's flow carry out a command, and returns its answer."""
    source = wire.topic(job_id, _conf.party, "fateflow")
    destination = wire.topic(job_id, party, "fateflow")
    request = wire.packet(source, destination, job_id, "POST", path, json.dumps(body))
    for tried in range(TRIES):
        try:
            with grpc.insecure_channel(_conf.rollsite, options=LARGEST) as channel:
                answer = _method(channel, "unaryCall")(request, timeout=COMMAND_SECONDS)
            break
        except grpc.RpcError as e:
            # The real one tries again whatever it was; here only where it shows, in the time it takes.
            if e.code() != grpc.StatusCode.DEADLINE_EXCEEDED or tried + 1 == TRIES:
                # As the real one: Python's text of the exception, which quotes what the rollsites say.
                raise FederatedError(str(e)) from e
    result = json.loads(wire.body(answer)[1])
    if result.get("retcode") != 0:
        raise PartyError(f"party {party} answers {path}: {result.get('retmsg')}")
    return result


def push(party, name, values, job_id):
    """Sends data to a party's rollsite, one packet for each value."""
    packets = [wire.packet(wire.topic(name, _conf.party, "worker"), wire.topic(name, party, "worker"), job_id, "push", name, json.dumps(v)) for v in values]
    with grpc.insecure_channel(_conf.rollsite, options=LARGEST) as channel:
        _method(channel, "push", "stream_unary")(iter(packets), timeout=120)


def take(name, count):
    """Gets what was pushed to this party under a name."""
    with grpc.insecure_channel(_conf.rollsite, options=LARGEST) as channel:
        method = _method(channel, "take", service="standin.Store")
        return [json.loads(wire.parse(method(wire.field(1, name), timeout=70))[1]) for _ in range(count)]


def manager(name, argument):
    """Gives eggroll's clustermanager a command."""
    request = wire.field(2, name) + wire.field(3, json.dumps(argument))
    with grpc.insecure_channel(_conf.clustermanager) as channel:
        try:
            answer = _method(channel, "call", service="com.webank.eggroll.core.command.CommandService")(request, timeout=60)
        except grpc.RpcError as e:
            raise CommandCallError(f"Failed to call command: CommandURI(_uri={name}) to endpoint: {_conf.clustermanager}, caused by: ", e) from e
    return json.loads(wire.parse(answer)[3])


def worker(address, argument, session=None):
    """Has an egg_pair compute. The real client waits for ever on the workers of a session that eggroll has ended; this one
    until its job is over, too."""
    while session and manager("v1/cluster-manager/session/getSession", {"id": session})["status"] != "ACTIVE":
        if all(j["f_status"] not in ("waiting", "running") for j in database.find_jobs(job_id=session.split("_")[0])):
            raise FederatedError(f"session {session} is not active")
        time.sleep(1)
    with grpc.insecure_channel(address, options=LARGEST) as channel:
        return json.loads(_method(channel, "run", service="standin.EggPair")(json.dumps(argument).encode(), timeout=60))
