// Package store keeps Gaggle's rows: the fleet's inventory, campaigns, targets, attempts, events, leases, memos, spend and
// records, in SQLite (one file, inside the binary) or PostgreSQL (when several machines work), behind one set of queries.
// Jobs are River's, in the same database, so that a target's move, its event and its next job are one transaction.
//
// Start with Open, then Store.Tx and Tx.Move. Times are stored as microseconds since 1970 in UTC, money as
// micro-dollars, structures as JSON text, records (diffs, logs, transcripts) compressed with zstd.
package store
