-- SPDX-License-Identifier: Apache-2.0
-- Which alert a repeat belongs to: the newest of its detection and key.
CREATE INDEX alerts_by_key ON alerts (workspace, detector, key, external_id, number);
