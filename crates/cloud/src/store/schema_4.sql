-- The audit log: where a request came from, whom and what a sign-in is about, and how long records are kept.

ALTER TABLE audit ADD COLUMN address TEXT;
ALTER TABLE audit ADD COLUMN user TEXT;
ALTER TABLE audit ADD COLUMN device TEXT;
ALTER TABLE audit ADD COLUMN application TEXT;
ALTER TABLE audit ADD COLUMN method TEXT;

-- Older records tell their user in the text alone.
DROP TRIGGER audit_is_append_only_1;
UPDATE audit SET user = target WHERE initiated_by = 'user ' || target;
UPDATE audit SET device = target WHERE initiated_by = 'device ' || target;
CREATE TRIGGER audit_is_append_only_1 BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX audit_by_user ON audit (user, id) WHERE user IS NOT NULL;

-- Records before `kept_from` may go: so the log loses its oldest records alone, and never a piece from its middle.
CREATE TABLE audit_retention (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    days      INTEGER CHECK (days BETWEEN 1 AND 36500),
    records   INTEGER CHECK (records >= 1000),
    kept_from INTEGER NOT NULL
) STRICT;
INSERT INTO audit_retention (one, kept_from) VALUES (1, 0);
CREATE TRIGGER audit_retention_goes_forward BEFORE UPDATE OF kept_from ON audit_retention
    WHEN NEW.kept_from < OLD.kept_from
    BEGIN SELECT RAISE(ABORT, 'what the audit log has lost does not come back'); END;
CREATE TRIGGER audit_retention_stays BEFORE DELETE ON audit_retention
    BEGIN SELECT RAISE(ABORT, 'the audit log has one retention'); END;
DROP TRIGGER audit_is_append_only_2;
CREATE TRIGGER audit_is_append_only_2 BEFORE DELETE ON audit
    WHEN OLD.id >= (SELECT kept_from FROM audit_retention)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
