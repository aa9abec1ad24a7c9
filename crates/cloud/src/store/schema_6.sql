-- Families of refresh tokens of applications. Only the token of the present generation is good; -1 is the end.

CREATE TABLE application_family (
    id         TEXT PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES user (id),
    generation INTEGER NOT NULL CHECK (generation >= -1),
    ends       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX application_family_by_end ON application_family (ends);
