-- +goose Up
CREATE TABLE repositories (
    name           TEXT PRIMARY KEY,
    url            TEXT NOT NULL,
    forge          TEXT NOT NULL,
    default_branch TEXT NOT NULL,
    head           TEXT NOT NULL,
    tree           TEXT NOT NULL,
    archived       BIGINT NOT NULL,
    opt_out        TEXT NOT NULL,
    config         TEXT NOT NULL,
    source         TEXT NOT NULL,
    memo           {{blob}} NOT NULL,
    synced_at      BIGINT NOT NULL
);
CREATE TABLE components (
    ref        TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    owner      TEXT NOT NULL,
    data       TEXT NOT NULL
);
CREATE INDEX components_repository ON components (repository);
CREATE TABLE entities (
    ref        TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    repository TEXT NOT NULL,
    email      TEXT NOT NULL,
    data       TEXT NOT NULL
);
CREATE INDEX entities_repository ON entities (repository);
CREATE TABLE problems (
    id         {{serial}},
    repository TEXT NOT NULL,
    data       TEXT NOT NULL
);
CREATE INDEX problems_repository ON problems (repository);

CREATE TABLE campaigns (
    name          TEXT PRIMARY KEY,
    version       BIGINT NOT NULL,
    file          TEXT NOT NULL,
    spec          TEXT NOT NULL,
    change_hash   TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('active', 'paused', 'done', 'canceled')),
    reason        TEXT NOT NULL,
    message       TEXT NOT NULL,
    dry_run       BIGINT NOT NULL,
    open_waves    BIGINT NOT NULL,
    approved_wave BIGINT NOT NULL,
    asked_wave    BIGINT NOT NULL,
    waves         TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);

CREATE TABLE targets (
    id          {{serial}},
    campaign    TEXT NOT NULL REFERENCES campaigns (name),
    component   TEXT NOT NULL,
    repository  TEXT NOT NULL,
    path        TEXT NOT NULL,
    owner       TEXT NOT NULL,
    wave        BIGINT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'queued', 'changing', 'ready', 'proposed', 'revising', 'merged', 'closed', 'unchanged', 'failed', 'skipped', 'canceled')),
    version     BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    message     TEXT NOT NULL,
    approved    BIGINT NOT NULL,
    change_hash TEXT NOT NULL,
    base_commit TEXT NOT NULL,
    base_tree   TEXT NOT NULL,
    result_tree TEXT NOT NULL,
    diff_key    TEXT NOT NULL,
    files       BIGINT NOT NULL,
    added       BIGINT NOT NULL,
    deleted     BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    cost        BIGINT NOT NULL,
    usage       TEXT NOT NULL,
    branch      TEXT NOT NULL,
    head_commit TEXT NOT NULL,
    pull_number BIGINT NOT NULL,
    pull_url    TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (campaign, component)
);
CREATE INDEX targets_counts ON targets (campaign, wave, state, cost);
CREATE INDEX targets_state ON targets (campaign, state, id);

CREATE TABLE attempts (
    id            {{serial}},
    target        BIGINT NOT NULL REFERENCES targets (id),
    number        BIGINT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('running', 'done', 'lost')),
    outcome       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    message       TEXT NOT NULL,
    agent         TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    base_commit   TEXT NOT NULL,
    rounds        TEXT NOT NULL,
    usage         TEXT NOT NULL,
    remembered    BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL,
    UNIQUE (target, number)
);

CREATE TABLE events (
    seq        {{serial}},
    at         BIGINT NOT NULL,
    campaign   TEXT NOT NULL,
    target     BIGINT NOT NULL,
    component  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    message    TEXT NOT NULL
);
CREATE INDEX events_campaign ON events (campaign, seq);
CREATE INDEX events_target ON events (target, seq);

CREATE TABLE workers (
    id      TEXT PRIMARY KEY,
    beat_at BIGINT NOT NULL
);
CREATE TABLE leases (
    target   BIGINT PRIMARY KEY,
    worker   TEXT NOT NULL,
    taken_at BIGINT NOT NULL
);
CREATE INDEX leases_worker ON leases (worker);

CREATE TABLE memos (
    key     TEXT PRIMARY KEY,
    value   TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE TABLE spend (
    scope  TEXT PRIMARY KEY,
    micros BIGINT NOT NULL,
    calls  BIGINT NOT NULL,
    tokens BIGINT NOT NULL
);
CREATE TABLE records (
    key     TEXT PRIMARY KEY,
    size    BIGINT NOT NULL,
    data    {{blob}} NOT NULL,
    made_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE records;
DROP TABLE spend;
DROP TABLE memos;
DROP TABLE leases;
DROP TABLE workers;
DROP TABLE events;
DROP TABLE attempts;
DROP TABLE targets;
DROP TABLE campaigns;
DROP TABLE problems;
DROP TABLE entities;
DROP TABLE components;
DROP TABLE repositories;
