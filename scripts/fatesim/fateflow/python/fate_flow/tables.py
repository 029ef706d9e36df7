"""Tables of uploaded data. FATE-Flow has them in eggroll's storage; here they are texts in the database."""

import csv
import io
import json
import os

from fate_flow import database

TABLE = """CREATE TABLE IF NOT EXISTS standin_table (
  f_namespace VARCHAR(100) NOT NULL, f_name VARCHAR(100) NOT NULL, f_content LONGTEXT NOT NULL, PRIMARY KEY (f_namespace, f_name))"""


class Missing(Exception):
    """What is wrong with data that a job is to use."""


def read_file(body):
    """Reads the file that an upload names. It has to be on this host, since the request does not carry it."""
    for key in ("file", "table_name", "namespace"):
        if not body.get(key):
            raise Missing(f"upload has no {key}")
    if int(body.get("use_local_data", 1)) != 0:
        raise Missing("this STAND-IN takes no files in requests: use_local_data has to be 0")
    if int(body.get("head", 1)) != 1:
        raise Missing("this STAND-IN wants a header line: head has to be 1")
    if not os.path.isabs(body["file"]) or not os.path.isfile(body["file"]):
        raise Missing(f"the file {body['file']} is not exist")
    with open(body["file"], newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f, delimiter=body.get("id_delimiter", ",")))
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise Missing(f"{body['file']} is no table with a header line")
    return rows


def write(namespace, name, rows, drop):
    with database.cursor() as c:
        c.execute(TABLE)
        c.execute("SELECT 1 FROM standin_table WHERE f_namespace = %s AND f_name = %s", (namespace, name))
        if c.fetchone() and not drop:
            raise Missing(f"table {name}, namespace {namespace} exists: use drop to replace it")
        c.execute("REPLACE INTO standin_table VALUES (%s, %s, %s)", (namespace, name, json.dumps(rows)))


def read(namespace, name, with_label):
    """Gives ids, labels (none without) and numbers of a table, sorted by id."""
    with database.cursor() as c:
        c.execute(TABLE)
        c.execute("SELECT f_content FROM standin_table WHERE f_namespace = %s AND f_name = %s", (namespace, name))
        found = c.fetchone()
    if not found:
        raise RuntimeError(f"can not found table name: {name} namespace: {namespace}")
    header, *rows = json.load(io.StringIO(found["f_content"]))
    if with_label != (header[1] == "y"):
        raise Missing(f"table {name} has {'no' if with_label else 'a'} column y, and with_label is {with_label}")
    first = 2 if with_label else 1
    rows.sort(key=lambda row: row[0])
    return [row[0] for row in rows], [int(row[1]) for row in rows] if with_label else [], [[float(v) for v in row[first:]] for row in rows]
