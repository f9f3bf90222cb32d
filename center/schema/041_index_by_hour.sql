-- SPDX-License-Identifier: Apache-2.0
-- By hour first: what is written goes to one end of the table, and what is too old stands at the other.
CREATE TABLE activity_hours (
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    hour INTEGER NOT NULL,
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    positions BLOB NOT NULL,  -- runs: first, count, distances; numbers of seven bits a byte
    PRIMARY KEY (workspace, hour, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO activity_hours (workspace, hour, subject, positions)
    SELECT workspace, hour, subject, positions FROM activity_index ORDER BY workspace, hour, subject;
DROP TABLE activity_index;
ALTER TABLE activity_hours RENAME TO activity_index;
