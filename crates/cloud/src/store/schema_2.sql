-- Devices, Kerberos server objects, and the tenant's own keys.

CREATE TABLE tenant_key (
    purpose TEXT PRIMARY KEY CHECK (purpose IN ('seal', 'deviceCa', 'token', 'wrapping')),
    kid     TEXT NOT NULL,
    private BLOB NOT NULL,                      -- PKCS #8, or 32 octets for 'seal'
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    id            TEXT PRIMARY KEY,
    display_name  TEXT NOT NULL,
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    trust_type    TEXT NOT NULL CHECK (trust_type IN ('AzureAd', 'Workplace', 'ServerAd')),
    owner         TEXT NOT NULL REFERENCES user (id),
    device_key    BLOB NOT NULL UNIQUE,         -- SubjectPublicKeyInfo
    transport_key BLOB NOT NULL,                -- BCRYPT_RSAKEY_BLOB
    created       INTEGER NOT NULL
) STRICT;
CREATE INDEX device_by_owner ON device (owner);

CREATE TABLE kerberos_server (
    domain TEXT PRIMARY KEY,                    -- DNS name in lower case
    facts  TEXT NOT NULL                        -- JSON
) STRICT, WITHOUT ROWID;
CREATE TABLE kerberos_key (
    domain    TEXT NOT NULL REFERENCES kerberos_server (domain) ON DELETE CASCADE,
    version   INTEGER NOT NULL CHECK (version BETWEEN 0 AND 65535),
    key       BLOB NOT NULL CHECK (length(key) = 32),
    published INTEGER NOT NULL,
    PRIMARY KEY (domain, version)
) STRICT, WITHOUT ROWID;

-- The last signature counter of each security key that signed in.
CREATE TABLE key_counter (
    key     INTEGER PRIMARY KEY REFERENCES device_key (id) ON DELETE CASCADE,
    counter INTEGER NOT NULL
) STRICT;
