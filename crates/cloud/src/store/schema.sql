-- The cloud's state. Times are FILETIME ticks (100 ns since 1601), GUIDs are text, booleans are 0 and 1.

CREATE TABLE tenant (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    id        TEXT NOT NULL,
    name      TEXT NOT NULL,
    rp_id     TEXT NOT NULL,
    rp_name   TEXT NOT NULL,
    origins   TEXT NOT NULL,                    -- JSON array
    epoch     BLOB NOT NULL CHECK (length(epoch) = 16),
    created   INTEGER NOT NULL
) STRICT;

-- What happened to whom, in order. Nothing is ever changed or removed here; the feed reads it by number.
CREATE TABLE change (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    user      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    mark      BLOB NOT NULL CHECK (length(mark) = 8)
) STRICT;
CREATE TRIGGER change_is_append_only_1 BEFORE UPDATE ON change
    BEGIN SELECT RAISE(ABORT, 'the change log is append-only'); END;
CREATE TRIGGER change_is_append_only_2 BEFORE DELETE ON change
    BEGIN SELECT RAISE(ABORT, 'the change log is append-only'); END;

-- A deleted user stays as a row with `deleted` and without personal data, until no delta token is left that has not
-- heard of it.
CREATE TABLE user (
    id            TEXT PRIMARY KEY,
    handle        BLOB NOT NULL UNIQUE CHECK (length(handle) = 32),
    upn           TEXT NOT NULL,
    upn_folded    TEXT NOT NULL,
    display_name  TEXT NOT NULL,
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created       INTEGER NOT NULL,
    source_anchor TEXT,
    sid           TEXT,
    dn            TEXT,
    domain        TEXT,
    sam           TEXT,
    deleted       INTEGER,
    last_change   INTEGER NOT NULL REFERENCES change (seq)
) STRICT;
CREATE UNIQUE INDEX user_by_upn ON user (upn_folded) WHERE deleted IS NULL;
CREATE UNIQUE INDEX user_by_source_anchor ON user (source_anchor) WHERE source_anchor IS NOT NULL;
CREATE UNIQUE INDEX user_by_sid ON user (sid) WHERE sid IS NOT NULL;
CREATE UNIQUE INDEX user_by_last_change ON user (last_change);
CREATE INDEX user_by_deleted ON user (deleted) WHERE deleted IS NOT NULL;

-- Whoever could rewrite these would get tickets for another account; so even the code above may not.
CREATE TRIGGER user_identity_is_set_once BEFORE UPDATE OF source_anchor, sid, sam ON user
    WHEN NEW.deleted IS NULL AND (
        (OLD.source_anchor IS NOT NULL AND NEW.source_anchor IS NOT OLD.source_anchor) OR
        (OLD.sid IS NOT NULL AND NEW.sid IS NOT OLD.sid) OR
        (OLD.sam IS NOT NULL AND NEW.sam IS NOT OLD.sam))
    BEGIN SELECT RAISE(ABORT, 'source anchor, SID and account name are set once'); END;

CREATE TABLE device_key (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    user                   TEXT NOT NULL REFERENCES user (id),
    usage                  INTEGER NOT NULL,
    key_identifier         BLOB NOT NULL,
    key_material           BLOB NOT NULL,
    created                INTEGER NOT NULL,
    device_id              TEXT,
    custom_key_information BLOB,
    fido_aa_guid           TEXT,
    thumbprints            TEXT NOT NULL,       -- JSON array
    display_name           TEXT NOT NULL,
    attested               INTEGER NOT NULL CHECK (attested IN (0, 1)),
    hmac_secret            INTEGER NOT NULL CHECK (hmac_secret IN (0, 1)),
    UNIQUE (usage, key_identifier)
) STRICT;
CREATE INDEX device_key_by_user ON device_key (user, id);

-- Challenges that wait for their answer.
CREATE TABLE ceremony (
    challenge BLOB PRIMARY KEY,
    user      TEXT NOT NULL REFERENCES user (id),
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ceremony_by_user ON ceremony (user, expires);
CREATE INDEX ceremony_by_expiry ON ceremony (expires);

-- Bearer tokens (`admin`, `sync`, `user`) and temporary access passes (`tap`). Only hashes of their secrets.
CREATE TABLE token (
    id          BLOB PRIMARY KEY CHECK (length(id) = 8),
    kind        TEXT NOT NULL CHECK (kind IN ('admin', 'sync', 'user', 'tap')),
    user        TEXT REFERENCES user (id),
    name        TEXT NOT NULL,
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    created     INTEGER NOT NULL,
    expires     INTEGER,
    CHECK ((kind IN ('user', 'tap')) = (user IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX token_by_user ON token (user) WHERE user IS NOT NULL;

CREATE TABLE policy (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    fido2 TEXT NOT NULL                         -- JSON
) STRICT;

CREATE TABLE audit (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    activity     TEXT NOT NULL,
    initiated_by TEXT NOT NULL,
    target       TEXT NOT NULL,
    detail       TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_append_only_1 BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_append_only_2 BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
