# SPDX-License-Identifier: MIT OR Apache-2.0
"""Asks the questions of docs/recordings.md of one engine, about a folder of Parquet files; prints the answers as JSON.

usage: ask.py duckdb|chdb|pandas docs/recordings.md FOLDER
"""
import json
import os
import re
import sys


def plain(value):
    """The same in every engine: numbers as numbers, the rest as text."""
    if value is None or isinstance(value, (int, float, str)):
        return value
    return int(value)


def duckdb_rows(query):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection.execute(query).fetchall()


def chdb_rows(query):
    import chdb

    query = re.sub(r"FROM ('[a-z_]+\.parquet')", r"FROM file(\1)", query)
    text = str(chdb.query(query, "JSONCompact"))
    rows = json.loads(text)["data"]
    # 64-bit numbers come in quotes.
    number = re.compile(r"-?\d+")
    return [[int(cell) if number.fullmatch(str(cell)) else cell for cell in row] for row in rows]


def main():
    engine, docs, folder = sys.argv[1:]
    text = open(docs).read()
    os.chdir(folder)
    queries = re.findall(r"```sql\n(.*?)```", text, re.S)
    assert len(queries) == 3, queries
    if engine == "pandas":
        import pandas

        names = {"pandas": pandas}
        exec(re.search(r"```python\n(.*?)```", text, re.S).group(1), names)
        answers = [names["answer"].itertuples(index=False, name=None)]
    else:
        rows = {"duckdb": duckdb_rows, "chdb": chdb_rows}[engine]
        answers = [rows(query) for query in queries]
    print(json.dumps([[[plain(cell) for cell in row] for row in answer] for answer in answers]))


main()
