"""From identifier strings to customers: SciPy's components after dictionary encoding, and DuckDB alone."""

from __future__ import annotations

import data

NAMES = ["cookie", "device", "email"]


def arrow():
    return data.load("sightings")


def ours(table):
    import headwater as hw

    return hw.stitch(table, identifiers=NAMES, time="time")


def ours_numbers(people) -> dict[str, float]:
    return {"customers": people.n_customers}


def scipy(table):
    import numpy as np
    import pyarrow as pa
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    codes, start = [], 0
    for name in NAMES:
        encoded = pa.chunked_array([table[name].combine_chunks().dictionary_encode()]).combine_chunks()
        code = encoded.indices.to_numpy(zero_copy_only=False).astype(float) + start
        codes.append(code)
        start += len(encoded.dictionary)
    edges_a, edges_b = [], []
    for other in codes[1:]:
        known = ~np.isnan(other)
        edges_a.append(codes[0][known])
        edges_b.append(other[known])
    a = np.concatenate(edges_a).astype(np.int32)
    b = np.concatenate(edges_b).astype(np.int32)
    graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(start, start))
    count, labels = connected_components(graph, directed=False)
    return count, labels


def scipy_numbers(result) -> dict[str, float]:
    return {"customers": result[0]}


def duckdb_table():
    import duckdb

    arrow()
    connection = duckdb.connect()
    connection.register("given", arrow())
    connection.execute("CREATE TABLE sightings AS SELECT * FROM given")
    return connection


def duckdb(connection):
    """Interning by window, then smallest labels spread along the links until nothing changes."""
    run = connection.execute
    run("""CREATE OR REPLACE TEMP TABLE nodes AS
           SELECT ns, value, row_number() OVER () AS id FROM (
               SELECT DISTINCT 'cookie' AS ns, cookie AS value FROM sightings
               UNION ALL SELECT DISTINCT 'device', device FROM sightings
               UNION ALL SELECT DISTINCT 'email', email FROM sightings WHERE email IS NOT NULL)""")
    run("""CREATE OR REPLACE TEMP TABLE edges AS
           SELECT DISTINCT a.id AS a, b.id AS b FROM sightings s
           JOIN nodes a ON a.ns = 'cookie' AND a.value = s.cookie JOIN nodes b ON b.ns = 'device' AND b.value = s.device
           UNION SELECT DISTINCT a.id, b.id FROM sightings s
           JOIN nodes a ON a.ns = 'cookie' AND a.value = s.cookie JOIN nodes b ON b.ns = 'email' AND b.value = s.email""")
    run("CREATE OR REPLACE TEMP TABLE links AS SELECT a, b FROM edges UNION ALL SELECT b, a FROM edges")
    run("CREATE OR REPLACE TEMP TABLE labels AS SELECT id, id AS label FROM nodes")
    while True:
        run("""CREATE OR REPLACE TEMP TABLE next AS
               SELECT l.id, least(l.label, coalesce(min(o.label), l.label)) AS label
               FROM labels l LEFT JOIN links k ON k.a = l.id LEFT JOIN labels o ON o.id = k.b
               GROUP BY l.id, l.label""")
        # Jump to the label's own label: paths halve, so the rounds are few.
        run("""CREATE OR REPLACE TEMP TABLE jumped AS
               SELECT n.id, m.label FROM next n JOIN next m ON m.id = n.label""")
        changed = run(
            "SELECT count(*) FROM jumped j JOIN labels l USING (id) WHERE j.label <> l.label"
        ).fetchone()[0]
        run("CREATE OR REPLACE TEMP TABLE labels AS SELECT * FROM jumped")
        if changed == 0:
            return run("SELECT count(DISTINCT label) FROM labels").fetchone()[0]


def duckdb_numbers(count) -> dict[str, float]:
    return {"customers": count}


TOOLS = {
    "headwater": (arrow, ours, ours_numbers),
    "SciPy and PyArrow": (arrow, scipy, scipy_numbers),
    "DuckDB": (duckdb_table, duckdb, duckdb_numbers),
}
