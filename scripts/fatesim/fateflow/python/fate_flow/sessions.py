"""Sessions of eggroll, and which jobs wait for one."""

import threading

from fate_flow import federation

_waiting = {}  # job -> event that is set when a session of it was made, or when it has ended


def begin(job_id):
    """What to wait for until a job of this flow has a session; nothing when the job is being waited for already."""
    if job_id in _waiting:
        return None
    return _waiting.setdefault(job_id, threading.Event())


def make(job_id, session):
    """Has eggroll make a session, and returns its processors."""
    processors = federation.manager("v1/cluster-manager/session/getOrCreateSession", {"id": session})["processors"]
    done(job_id)
    return processors


def done(job_id):
    """Lets go of the worker that started the job."""
    if job_id in _waiting:
        _waiting[job_id].set()
