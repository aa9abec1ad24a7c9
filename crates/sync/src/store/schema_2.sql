-- Version 2: objects that are carried into the cloud.

-- The last write of each: its intent is here before it is sent. Sending it twice does no harm, so what an interrupted
-- cycle left is planned again; this says what to sign for when an import shows that it was done.
CREATE TABLE object_export (
    kind TEXT NOT NULL,
    anchor TEXT NOT NULL,
    cycle INTEGER NOT NULL,
    at TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,                -- objectGUID, or empty
    rule TEXT NOT NULL,
    operation TEXT NOT NULL,             -- put, remove
    digest TEXT NOT NULL,                -- SHA-256 of what was put
    length INTEGER NOT NULL,
    state TEXT NOT NULL,                 -- intent, written, confirmed
    PRIMARY KEY (kind, anchor)
) WITHOUT ROWID;
CREATE INDEX object_export_open ON object_export (state) WHERE state IN ('intent', 'written');
CREATE INDEX object_alone ON object (kind) WHERE connector = 'cloud' AND person IS NULL;
