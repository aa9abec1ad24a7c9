-- The sync's state. Read it with any SQLite client while the sync runs (it is in WAL mode); the views at the end show
-- names instead of numbers. Version 1; schema_2.sql makes version 2 of it.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE attribute (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE rule (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- Where each import ended. Stored in one transaction with what it imported.
CREATE TABLE connector (
    name TEXT PRIMARY KEY,
    cursor TEXT NOT NULL,
    attributes TEXT NOT NULL,
    imported_at TEXT NOT NULL
) WITHOUT ROWID;

-- The connector spaces: objects as the connected systems showed them last.
CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    connector TEXT NOT NULL,
    anchor TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    person INTEGER,
    dirty INTEGER NOT NULL DEFAULT 1,    -- changed since it was last synchronised
    waiting INTEGER NOT NULL DEFAULT 0,  -- has something to give and found nobody
    UNIQUE (connector, anchor)
);
CREATE INDEX object_dirty ON object (connector, id) WHERE dirty = 1;
CREATE INDEX object_waiting ON object (id) WHERE waiting = 1;
CREATE INDEX object_person ON object (person) WHERE person IS NOT NULL;
CREATE TABLE object_value (
    object INTEGER NOT NULL,
    attribute INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (object, attribute, value)
) WITHOUT ROWID;

-- The metaverse: persons, and where each of their values came from.
CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    dirty INTEGER NOT NULL DEFAULT 0,    -- its attributes must be computed again
    pending INTEGER NOT NULL DEFAULT 1   -- not known to be in order in the directory
);
CREATE INDEX person_dirty ON person (id) WHERE dirty = 1;
CREATE INDEX person_pending ON person (id) WHERE pending = 1;
CREATE TABLE person_value (
    person INTEGER NOT NULL,
    attribute INTEGER NOT NULL,
    value BLOB NOT NULL,
    rule INTEGER NOT NULL,
    object INTEGER NOT NULL,
    PRIMARY KEY (person, attribute, value)
) WITHOUT ROWID;

-- Values that joins look up. side 0: connected objects; side 1: persons.
CREATE TABLE join_value (
    side INTEGER NOT NULL,
    attribute INTEGER NOT NULL,
    value BLOB NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (side, attribute, value, id)
) WITHOUT ROWID;
CREATE INDEX join_value_id ON join_value (side, id);

-- Values that a transform gave nothing for.
CREATE TABLE refusal (
    person INTEGER NOT NULL,
    object INTEGER NOT NULL,
    rule INTEGER NOT NULL,
    attribute INTEGER NOT NULL,
    value BLOB NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (person, attribute, value, rule)
) WITHOUT ROWID;

-- Export memory: what was written, and whether an import has seen it since.
CREATE TABLE export (
    anchor TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value BLOB NOT NULL,
    operation TEXT NOT NULL,             -- add, remove
    exported_at TEXT NOT NULL,
    confirmed_at TEXT,
    PRIMARY KEY (anchor, attribute, value)
) WITHOUT ROWID;
CREATE INDEX export_unconfirmed ON export (anchor) WHERE confirmed_at IS NULL;

-- The journal: a line for each write, before it is sent.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cycle INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    at TEXT NOT NULL,
    anchor TEXT NOT NULL,
    name TEXT NOT NULL,
    attribute TEXT NOT NULL,
    rule TEXT NOT NULL,
    cloud_object TEXT NOT NULL,
    added TEXT NOT NULL,                 -- JSON list of hex
    removed TEXT NOT NULL,
    state TEXT NOT NULL,                 -- intent, written, unconfirmed; settled: confirmed, already, refused, abandoned, superseded
    message TEXT NOT NULL DEFAULT ''
);
-- Lines that are not settled yet.
CREATE INDEX journal_open ON journal (id) WHERE state IN ('intent', 'written', 'unconfirmed');
CREATE INDEX journal_unconfirmed ON journal (anchor) WHERE state = 'unconfirmed';

-- Failures in a row, per object and attribute.
CREATE TABLE attempt (
    anchor TEXT NOT NULL,
    attribute TEXT NOT NULL,
    failures INTEGER NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (anchor, attribute)
) WITHOUT ROWID;

-- Receipts, a feed for detection. JSON as crate `events` writes it; sequence is the cursor.
CREATE TABLE receipt (sequence INTEGER PRIMARY KEY AUTOINCREMENT, json TEXT NOT NULL);

-- Who works on this state. The fence rises with each taking.
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    holder TEXT NOT NULL,
    fence INTEGER NOT NULL,
    taken_at TEXT NOT NULL
);

CREATE TABLE cycle (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started TEXT NOT NULL,
    finished TEXT,
    outcome TEXT,
    report TEXT
);

CREATE VIEW object_values AS
    SELECT o.connector, o.name, o.anchor, a.name AS attribute, hex(v.value) AS value
    FROM object o JOIN object_value v ON v.object = o.id JOIN attribute a ON a.id = v.attribute;
CREATE VIEW person_values AS
    SELECT v.person, a.name AS attribute, hex(v.value) AS value, r.name AS rule, o.connector, o.name AS object
    FROM person_value v JOIN attribute a ON a.id = v.attribute JOIN rule r ON r.id = v.rule
    LEFT JOIN object o ON o.id = v.object;
