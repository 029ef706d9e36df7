"""STAND-IN for FATE-Flow.

Not FATE-Flow, but a small program in its place for demonstrations and tests. It is
started by the same command line, reads the same files and is as strict about them,
needs the same services, listens on the same ports and answers the calls that an
installation is judged by. The only jobs it can run are those of the toy test and the
minimal test.
"""

import logging
import os
import signal
import socket
import threading

from fate_flow import api, database, federation, jobs, log, registry, settings


def stop(http_server):
    http_server.socket.shutdown(socket.SHUT_RDWR)  # first: who calls now is refused, rather than let in and cut off
    http_server.shutdown()


def main():
    try:
        conf = settings.load()
        log.stat.info("fate flow %s of FATE %s", conf.version, conf.fate_version)
        database.setup(conf)
        instances = registry.connect(conf)
        jobs.setup(conf, instances)
        api.setup(conf, instances)
        grpc_server = federation.serve(conf)
        log.stat.info("FATE Flow grpc server start successfully")
        http_server = api.serve(conf)
    except Exception:
        log.stat.exception("cannot start")
        return 1
    # The real one dies at once, and leaves its jobs' processes behind.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop, args=[http_server]).start())
    log.stat.info("FATE Flow http server start...")
    http_server.serve_forever()
    grpc_server.stop(None)
    instances.close()
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # at once, like the real one: workers that hang would keep python for ever
