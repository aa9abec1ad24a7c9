-- Devices of the ground: a joined one has no owner; what the sync says of it stands apart. Kerberos server objects as the
-- sync sees them stand apart from those that were published with a key.

CREATE TABLE device_5 (
    id            TEXT PRIMARY KEY,
    display_name  TEXT NOT NULL,
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    trust_type    TEXT NOT NULL CHECK (trust_type IN ('AzureAd', 'Workplace', 'ServerAd')),
    owner         TEXT REFERENCES user (id),
    device_key    BLOB NOT NULL UNIQUE,         -- SubjectPublicKeyInfo
    transport_key BLOB NOT NULL,                -- BCRYPT_RSAKEY_BLOB
    created       INTEGER NOT NULL,
    compliant     INTEGER NOT NULL DEFAULT 0 CHECK (compliant IN (0, 1)),
    CHECK ((trust_type = 'ServerAd') = (owner IS NULL))
) STRICT;
INSERT INTO device_5 (id, display_name, enabled, trust_type, owner, device_key, transport_key, created, compliant)
    SELECT id, display_name, enabled, trust_type, owner, device_key, transport_key, created, compliant FROM device;
DROP TABLE device;
ALTER TABLE device_5 RENAME TO device;
CREATE INDEX device_by_owner ON device (owner) WHERE owner IS NOT NULL;

CREATE TABLE ground_device (
    id           TEXT PRIMARY KEY,              -- objectGUID
    display_name TEXT NOT NULL,
    enabled      INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    sid          TEXT NOT NULL UNIQUE,
    sam          TEXT NOT NULL,
    dn           TEXT,
    domain       TEXT,
    system       TEXT,
    version      TEXT,
    certificates TEXT NOT NULL                  -- JSON array of DER in base64
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ground_device_identity_is_set_once BEFORE UPDATE OF sid, sam ON ground_device
    WHEN NEW.sid IS NOT OLD.sid OR NEW.sam IS NOT OLD.sam
    BEGIN SELECT RAISE(ABORT, 'SID and account name of a device are set once'); END;

-- Devices of the ground that an administrator disabled here. It outlives the device, which could otherwise leave and join
-- anew to be rid of it.
CREATE TABLE blocked_device (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Proofs of computers that were taken, until they would be too old anyway.
CREATE TABLE hybrid_proof (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    ends INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ground_server (
    domain TEXT PRIMARY KEY,                    -- DNS name in lower case
    facts  TEXT NOT NULL                        -- JSON
) STRICT, WITHOUT ROWID;

-- Another mark with each change of the two tables, so that a reader knows whether it has seen them as they are.
CREATE TABLE ground_version (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    mark BLOB NOT NULL CHECK (length(mark) = 16)
) STRICT;
INSERT INTO ground_version VALUES (1, randomblob(16));
