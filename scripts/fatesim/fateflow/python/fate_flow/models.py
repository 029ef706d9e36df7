"""Trained models and the metrics of their evaluation, each party's share in its own database."""

import json

from fate_flow import database, federation

MODEL = """CREATE TABLE IF NOT EXISTS standin_model (
  f_model_id VARCHAR(100) NOT NULL, f_model_version VARCHAR(50) NOT NULL, f_role VARCHAR(10) NOT NULL, f_deployed BOOLEAN NOT NULL,
  f_content LONGTEXT NOT NULL, PRIMARY KEY (f_model_id, f_model_version, f_role))"""
METRIC = """CREATE TABLE IF NOT EXISTS standin_metric (
  f_job_id VARCHAR(25) NOT NULL, f_role VARCHAR(10) NOT NULL, f_component VARCHAR(50) NOT NULL, f_content LONGTEXT NOT NULL,
  PRIMARY KEY (f_job_id, f_role, f_component))"""


class Unknown(Exception):
    """A model that is not there, or not deployed."""


def model_id(roles):
    return "#".join(f"{role}-{'_'.join(map(str, roles[role]))}" for role in sorted(roles)) + "#model"


def participants(identity):
    """The roles and parties that a model's id names."""
    for part in identity.split("#")[:-1]:
        role, _, parties = part.partition("-")
        for party in parties.split("_"):
            yield role, party


def save(identity, version, role, deployed, content):
    with database.model_lock(role, identity, version), database.cursor() as c:
        c.execute(MODEL)
        c.execute("REPLACE INTO standin_model VALUES (%s, %s, %s, %s, %s)", (identity, version, role, deployed, json.dumps(content)))


def load(identity, version, role, deployed):
    with database.cursor() as c:
        c.execute(MODEL)
        c.execute("SELECT f_content, f_deployed FROM standin_model WHERE f_model_id = %s AND f_model_version = %s AND f_role = %s", (identity, version, role))
        found = c.fetchone()
    if not found:
        raise Unknown(f"model {identity} {version} of role {role} does not exist")
    if deployed and not found["f_deployed"]:
        raise Unknown(f"model {identity} {version} is not deployed")
    return json.loads(found["f_content"])


def deploy(identity, version, job_id):
    """Makes a new version, which jobs can predict with, at every party."""
    for role, party in participants(identity):
        federation.call(party, f"/v1/model/deploy/{role}", {"model_id": identity, "from": version, "to": job_id})
    return {"model_id": identity, "model_version": job_id}


@federation.command("/v1/model/deploy/")
def deploy_here(path, body):
    role = path.rsplit("/", 1)[1]
    save(body["model_id"], body["to"], role, True, load(body["model_id"], body["from"], role, False))
    return {"retcode": 0, "retmsg": "success"}


def save_metrics(job_id, role, component, evaluated, pairs):
    content = {"train": {evaluated: {"data": pairs, "meta": {"metric_type": "EVALUATION_SUMMARY", "name": "train"}}}}
    with database.cursor() as c:
        c.execute(METRIC)
        c.execute("REPLACE INTO standin_metric VALUES (%s, %s, %s, %s)", (job_id, role, component, json.dumps(content)))


def metrics(job_id, role, component):
    with database.cursor() as c:
        c.execute(METRIC)
        c.execute("SELECT f_content FROM standin_metric WHERE f_job_id = %s AND f_role = %s AND f_component = %s", (job_id, role, component))
        found = c.fetchone()
    return json.loads(found["f_content"]) if found else {}
