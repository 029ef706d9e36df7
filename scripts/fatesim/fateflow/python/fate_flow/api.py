"""FATE-Flow's HTTP API: as much of it as an installation is started, probed and tested with."""

import base64
import hashlib
import hmac
import http.server
import io
import json
import os
import socket
import tarfile
import time
import urllib.parse

from fate_flow import database, federation, jobs, log, models

SKEW_SECONDS = 60  # of a signed request


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "STAND-IN-fate-flow"
    conf = None
    instances = None

    def log_message(self, *args):
        pass  # the real one logs requests to a file of its own

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw or b"{}")
            path = urllib.parse.urlsplit(self.path).path
            refusal = self.unsigned(path, raw)
            if refusal:
                return self.json({"retcode": 109, "retmsg": refusal})
            self.route(path, body)
        except jobs.Refused as e:
            self.json({"retcode": e.retcode, "retmsg": str(e), **({"jobId": e.job_id} if e.job_id else {})})
        except Exception as e:  # every error of the application is an answer
            log.stat.exception("request %s failed", self.path)
            self.json({"retcode": 100, "retmsg": f"{type(e).__name__}: {e}"})

    do_GET = do_POST

    def unsigned(self, path, raw):
        """Why a request is refused when client authentication is on; nothing when it may go on."""
        if not self.conf.get("authentication.client.switch"):
            return None
        h = self.headers
        for name in ("TIMESTAMP", "NONCE", "APP_KEY", "SIGNATURE"):
            if not h.get(name):
                return f"invalid headers: no {name}"
        if abs(time.time() - int(h["TIMESTAMP"]) / 1000) > SKEW_SECONDS:
            return "invalid TIMESTAMP: more than 60 seconds away from the time here"
        if h["APP_KEY"] != str(self.conf.get("authentication.client.http_app_key")):
            return "unknown APP_KEY"
        body = raw if raw and json.loads(raw) else b""  # as it came; an empty document counts as none
        text = b"\n".join([h["TIMESTAMP"].encode(), h["NONCE"].encode(), h["APP_KEY"].encode(), path.encode(), body, b""])
        secret = str(self.conf.get("authentication.client.http_secret_key")).encode()
        want = base64.b64encode(hmac.new(secret, text, hashlib.sha1).digest()).decode()
        return None if hmac.compare_digest(want, h["SIGNATURE"]) else "signature does not match"

    def route(self, path, body):
        if path.startswith("/v1/info/party/") and self.conf.has_info:
            answer = federation.call(path.rsplit("/", 1)[1], "/v1/info/common", {})
            return self.json(answer)
        plain = {
            "/v1/version/get": self.version, "/v1/info/common": lambda _: self.json(common("", {})),
            "/v1/info/eggroll": self.eggroll, "/v1/server/version/get": lambda _: self.success(self.conf.env),
            "/v1/server/fateflow/info": lambda _: self.success(self.instances.instances()),
            "/v1/job/submit": self.submit, "/v1/job/query": lambda b: self.success(jobs.query(b)),
            "/v1/job/stop": self.stop, "/v1/job/log/download": self.logs, "/v1/job/task/query": self.tasks,
            "/v1/job/list/job": lambda b: self.success(jobs.latest(b)),
            "/v1/data/upload": lambda b: self.json({"retcode": 0, "retmsg": "success", "jobId": jobs.upload(b)}),
            "/v1/model/deploy": self.deploy,
            "/v1/tracking/component/metric/all": lambda b: self.success(models.metrics(b.get("job_id"), b.get("role"), b.get("component_name"))),
        }
        if not self.conf.has_info:
            del plain["/v1/info/common"]
        if path not in plain:
            return self.json({"retcode": 100, "retmsg": f"404 Not Found: {path} (this is a STAND-IN for FATE-Flow)"}, 404)
        plain[path](body)

    def version(self, body):
        module = body.get("module", "FATE")
        if module not in self.conf.env:
            return self.json({"retcode": 100, "retmsg": f"unknown module {module}"}, 404)
        self.success({"API": "v1", module: self.conf.env[module]})

    def eggroll(self, _):
        host, port = self.conf.rollsite.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError as e:
            return self.json({"retcode": 100, "retmsg": f"rollsite {host}:{port}: {e}"}, 503)
        self.success(None)

    def submit(self, body):
        job_id, model_id = jobs.submit(body)
        board = f"http://{self.conf.get('fateboard.host')}:{self.conf.get('fateboard.port')}/index.html#/dashboard?job_id={job_id}&role=guest&party_id={self.conf.party}"
        self.json({"retcode": 0, "retmsg": "success", "jobId": job_id, "data": {
            "job_id": job_id, "board_url": board, "code": 0, "message": "success", "logs_directory": log.job_directory(job_id),
            "model_info": {"model_id": model_id, "model_version": job_id}}})

    def deploy(self, body):
        try:
            self.success(models.deploy(body.get("model_id", ""), body.get("model_version", ""), jobs.new_id()))
        except (models.Unknown, federation.FederatedError) as e:
            raise jobs.Refused(100, str(e)) from e

    def stop(self, body):
        jobs.stop(body)
        self.json({"retcode": 0, "retmsg": "stop job success"})

    def tasks(self, body):
        found = database.find_tasks(body)
        if not found:
            return self.json({"retcode": 101, "retmsg": "find task failed"})
        self.success(found)

    def logs(self, body):
        job_id = str(body.get("job_id", ""))
        directory = log.job_directory(job_id)  # only what ran here: each flow has the logs of its own tasks
        if not job_id.isdigit() or not os.path.isdir(directory):
            return self.json({"retcode": 404, "retmsg": f"Log file path: '{directory}' not found. Please check if the job id is valid."}, 404)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            tar.add(directory, arcname=".")
        self.answer(archive.getvalue(), "application/octet-stream", 200, {"Content-Disposition": f"attachment; filename=job_{job_id}_log.tar.gz"})

    def success(self, data):
        self.json({"retcode": 0, "retmsg": "success", "data": data})

    def json(self, value, status=200):
        self.answer(json.dumps(value).encode(), "application/json", status)

    def answer(self, body, kind, status, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@federation.command("/v1/info/common")
def common(_path, _body):
    conf = Handler.conf
    return {"retcode": 0, "retmsg": "success", "data": {
        "version": conf.version, "fate_version": conf.fate_version, "host": conf.get("fateflow.host"),
        "http_port": conf.get("fateflow.http_port"), "grpc_port": conf.get("fateflow.grpc_port"), "party_id": conf.party}}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def setup(conf, instances):
    Handler.conf, Handler.instances = conf, instances


def serve(conf):
    """Binds fateflow.host only, like the real one."""
    return Server((conf.get("fateflow.host"), conf.get("fateflow.http_port")), Handler)
