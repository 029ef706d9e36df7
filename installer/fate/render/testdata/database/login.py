"""Logs in as FATE-Flow does and makes a table, with the address, the user and the password of standard input."""
import sys

import pymysql

host, port, user, password, database = (line.rstrip("\n") for line in sys.stdin)
connection = pymysql.connect(host=host, port=int(port), user=user, password=password, database=database)
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE t_probe (f_id VARCHAR(25) PRIMARY KEY, f_text LONGTEXT)")
    cursor.execute("CREATE INDEX i ON t_probe (f_text(10))")
    cursor.execute("INSERT INTO t_probe VALUES (%s, %s)", ("1", "\u4e2d\u6587"))
    cursor.execute("SELECT f_text FROM t_probe")
    assert cursor.fetchone() == ("\u4e2d\u6587",)
    cursor.execute("DROP TABLE t_probe")
    cursor.execute("SELECT @@character_set_client, CURRENT_USER()")
    print(*cursor.fetchone())
