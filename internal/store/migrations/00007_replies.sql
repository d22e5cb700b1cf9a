-- +goose Up
-- What models answered in attempts that have not ended.
CREATE TABLE replies (
    target BIGINT NOT NULL REFERENCES targets (id),
    key    TEXT NOT NULL,
    data   {{blob}} NOT NULL,
    PRIMARY KEY (target, key)
);

-- +goose Down
DROP TABLE replies;
