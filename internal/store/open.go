package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/zstd"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite" // the "sqlite" driver of database/sql

	"gaggle/internal/fleet"
)

// Config says which database to open.
type Config struct {
	// URL is "postgres://…" or the path of an SQLite file, made when it is missing.
	URL string
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// Store is an open database. Its methods may be called from many goroutines and many processes at once.
type Store struct {
	clock  func() time.Time
	reader conn
	begin  func(ctx context.Context) (*Tx, error)
	jobs   jobs
	close  func()
	zip    *zstd.Encoder
	unzip  *zstd.Decoder
}

// Tx is one transaction. It is for one goroutine.
type Tx struct {
	conn
	store    *Store
	raw      any // *sql.Tx or pgx.Tx, for River
	commit   func(context.Context) error
	rollback func()
	shared   bool            // several transactions may write at once, as on PostgreSQL
	woken    map[string]bool // queues that got jobs
}

// Open opens the database and brings its tables up to date. Several processes may open it at once.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{clock: cfg.Clock}
	if s.clock == nil {
		s.clock = time.Now
	}
	var err error
	if s.zip, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, err
	}
	if s.unzip, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30)); err != nil {
		return nil, err
	}
	if strings.HasPrefix(cfg.URL, "postgres://") || strings.HasPrefix(cfg.URL, "postgresql://") {
		return s, s.openPostgres(ctx, cfg.URL)
	}
	return s, s.openSQLite(ctx, cfg.URL)
}

func (s *Store) openSQLite(ctx context.Context, path string) error {
	if strings.Contains(path, "://") {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "the database URL has an unknown scheme", Hint: "write postgres://user@host/name, or a file's path for SQLite"}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return &fleet.Error{Code: fleet.CodeDatabase, Message: "the data folder cannot be made", Err: err}
	}
	dsn := func(more string) string {
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)" + more
	}
	// One writing connection is faster than several that wait for each other's lock; readers never wait in WAL mode.
	writer, err := sql.Open("sqlite", dsn("&_txlock=immediate"))
	if err != nil {
		return explain(err)
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", dsn("&_pragma=query_only(1)"))
	if err != nil {
		return errors.Join(explain(err), writer.Close())
	}
	reader.SetMaxOpenConns(4)
	s.close = func() { _ = reader.Close(); _ = writer.Close() }
	if err := migrateSQLite(ctx, writer, path+".migrate"); err != nil {
		s.close()
		return err
	}
	s.reader = sqlConn{db: reader, cache: newStatements()}
	kept := newStatements()
	s.begin = func(ctx context.Context) (*Tx, error) {
		tx, err := writer.BeginTx(ctx, nil)
		if err != nil {
			return nil, explain(err)
		}
		return &Tx{conn: sqlConn{writer, tx, kept}, store: s, raw: tx, commit: func(context.Context) error { return tx.Commit() }, rollback: func() {
			_ = tx.Rollback()
			kept.prepareWanted(ctx, writer)
		}}, nil
	}
	s.jobs = &riverJobs[*sql.Tx]{driver: &bell[*sql.Tx]{Driver: riversqlite.New(writer)}, poll: pollEvery}
	return s.jobs.open()
}

func (s *Store) openPostgres(ctx context.Context, dsn string) error {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// pgx's own message may repeat the password.
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "the PostgreSQL URL cannot be read", Hint: "write postgres://user:password@host:5432/name"}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return explain(err)
	}
	s.close = pool.Close
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return &fleet.Error{Code: fleet.CodeDatabase, Message: fmt.Sprintf("PostgreSQL at %s:%d does not answer", cfg.ConnConfig.Host, cfg.ConnConfig.Port), Hint: "start it, or check the address, the user and the password", Err: err}
	}
	if err := migratePostgres(ctx, pool); err != nil {
		pool.Close()
		return err
	}
	s.reader = pgConn{pool}
	s.begin = func(ctx context.Context) (*Tx, error) {
		tx, err := pool.BeginTx(ctx, pgx.TxOptions{})
		if err != nil {
			return nil, explain(err)
		}
		return &Tx{conn: pgConn{tx}, store: s, raw: tx, commit: tx.Commit, rollback: func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }, shared: true}, nil
	}
	s.jobs = &riverJobs[pgx.Tx]{driver: riverpgxv5.New(pool), poll: pollEveryShared}
	return s.jobs.open()
}

// Close releases the database. Work must have returned.
func (s *Store) Close() {
	if s.close != nil {
		s.close()
	}
	_ = s.zip.Close()
	s.unzip.Close()
}

// Now is the store's time, as it will be read back: UTC, to the microsecond.
func (s *Store) Now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Tx runs do in one transaction and commits when it returns nil. Nothing of it is kept otherwise.
func (s *Store) Tx(ctx context.Context, do func(tx *Tx) error) error {
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.rollback()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.commit(ctx); err != nil {
		return explain(err)
	}
	s.jobs.ring(tx.woken)
	return nil
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
