"""Logs, where FATE-Flow has its own: on the console, in logs/fate_flow and, for each job, in logs/JOB/ROLE/PARTY."""

import logging
import os
import sys

FORMAT = logging.Formatter("[%(levelname)s] [%(asctime)s] [STAND-IN %(process)s:%(thread)s] - %(message)s")
LOGS = os.path.join(os.environ.get("FATE_PROJECT_BASE", "."), "fateflow", "logs")


def _handler(path, level=logging.DEBUG):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(FORMAT)
    handler.setLevel(level)
    return handler


def _stat():
    logger = logging.getLogger("fate_flow_stat")
    logger.setLevel(logging.DEBUG)
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(FORMAT)
    logger.addHandler(console)
    logger.addHandler(_handler(os.path.join(LOGS, "fate_flow", "fate_flow_stat.log")))
    return logger


stat = _stat()


def job_directory(job_id):
    return os.path.join(LOGS, job_id)


def job(job_id, role, party, component=""):
    """The logger of one party's share in a job, or of one component of it, which also logs to that of the share."""
    logger = logging.getLogger(f"{job_id}.{role}.{party}" + (f".{component}" if component else ""))
    if not logger.handlers:
        logger.setLevel(logging.DEBUG)
        logger.propagate = bool(component)
        directory = os.path.join(job_directory(job_id), role, str(party), component)
        logger.addHandler(_handler(os.path.join(directory, "INFO.log"), logging.INFO))
        logger.addHandler(_handler(os.path.join(directory, "ERROR.log"), logging.ERROR))
        if component:
            job(job_id, role, party)
    return logger


def scheduler(job_id, kind="schedule"):
    """The logger of what concerns a job as a whole."""
    logger = logging.getLogger(f"{job_id}_{kind}")
    if not logger.handlers:
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(_handler(os.path.join(job_directory(job_id), f"fate_flow_{kind}.log"), logging.INFO))
        logger.addHandler(_handler(os.path.join(job_directory(job_id), f"fate_flow_{kind}_error.log"), logging.ERROR))
    return logger
