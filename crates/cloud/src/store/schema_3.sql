-- Conditional Access: groups of users, the state of devices, policies.

ALTER TABLE device ADD COLUMN compliant INTEGER NOT NULL DEFAULT 0 CHECK (compliant IN (0, 1));

CREATE TABLE user_group (
    id           TEXT PRIMARY KEY,
    display_name TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE group_member (
    user_group TEXT NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    user       TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    PRIMARY KEY (user_group, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_member_by_user ON group_member (user);

CREATE TABLE access_policy (
    id       TEXT PRIMARY KEY,
    document TEXT NOT NULL                      -- JSON
) STRICT, WITHOUT ROWID;
