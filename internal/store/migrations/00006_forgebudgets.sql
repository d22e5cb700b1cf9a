-- +goose Up
-- What the processes that use one credential of a forge agree on: one row a credential, in the words of the forges' transport.
CREATE TABLE forge_budgets (
    name       TEXT PRIMARY KEY,
    data       TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE forge_budgets;
