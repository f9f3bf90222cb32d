-- SPDX-License-Identifier: Apache-2.0
-- Nodes that delivered, and whose workspace what they deliver belongs to.

CREATE TABLE nodes (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    site TEXT NOT NULL,
    domains TEXT NOT NULL,  -- that it may synchronize, one a line
    first INTEGER NOT NULL,
    last INTEGER NOT NULL   -- when it said HELLO last
) STRICT, WITHOUT ROWID;
CREATE INDEX nodes_by_workspace ON nodes (workspace, name);
