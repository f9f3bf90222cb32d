-- SPDX-License-Identifier: Apache-2.0
-- Where an administrator put a node, whatever its token and the rules say; it need not have come yet.

CREATE TABLE node_workspaces (
    node BLOB PRIMARY KEY CHECK (length(node) = 16),
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

ALTER TABLE nodes ADD COLUMN placed INTEGER NOT NULL DEFAULT 0;  -- by whom: enum node_placed
