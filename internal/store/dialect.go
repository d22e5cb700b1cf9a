package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"gaggle/internal/fleet"
)

// rows is what both drivers' results have in common.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// conn runs statements written with ? placeholders. A transaction and a pool are both one.
type conn interface {
	exec(ctx context.Context, query string, args ...any) (affected int64, err error)
	query(ctx context.Context, query string, args ...any) (rows, error)
}

// sqlConn is SQLite, through database/sql. Statements are prepared once, because SQLite's parser would cost more than
// most of our statements themselves.
type sqlConn struct {
	db    *sql.DB
	tx    *sql.Tx // nil outside a transaction
	cache *statements
}

// statements keeps prepared statements of one pool. A transaction on a pool of one connection cannot prepare for the pool,
// so it notes what it would have liked to find, and that is prepared once it has ended.
type statements struct {
	mu     sync.Mutex
	byText map[string]*sql.Stmt
	wanted map[string]bool
}

// longestKept is the length, in bytes, from which a query is one with a placeholder group a row: different each time.
const longestKept = 1000

func newStatements() *statements {
	return &statements{byText: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
}

// find returns a statement to be used by the connection, or nil when there is none yet.
func (c sqlConn) find(ctx context.Context, query string) *sql.Stmt {
	if len(query) > longestKept {
		return nil
	}
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	stmt := c.cache.byText[query]
	switch {
	case stmt == nil && c.tx != nil:
		c.cache.wanted[query] = true
		return nil
	case stmt == nil:
		made, err := c.db.PrepareContext(ctx, query)
		if err != nil {
			return nil // running it says why
		}
		c.cache.byText[query] = made
		return made
	case c.tx != nil:
		return c.tx.StmtContext(ctx, stmt)
	}
	return stmt
}

// prepareWanted prepares what transactions have missed; the pool must be free.
func (c *statements) prepareWanted(ctx context.Context, db *sql.DB) {
	c.mu.Lock()
	wanted := c.wanted
	c.wanted = map[string]bool{}
	c.mu.Unlock()
	for query := range wanted {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			continue // it stays unprepared, which is only slower
		}
		c.mu.Lock()
		if c.byText[query] == nil {
			c.byText[query], stmt = stmt, nil
		}
		c.mu.Unlock()
		if stmt != nil {
			_ = stmt.Close()
		}
	}
}

func (c sqlConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	if stmt := c.find(ctx, query); stmt != nil {
		res, err = stmt.ExecContext(ctx, args...)
	} else if c.tx != nil {
		res, err = c.tx.ExecContext(ctx, query, args...)
	} else {
		res, err = c.db.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, explain(err)
	}
	return res.RowsAffected()
}

func (c sqlConn) query(ctx context.Context, query string, args ...any) (rows, error) {
	var r *sql.Rows
	var err error
	if stmt := c.find(ctx, query); stmt != nil {
		r, err = stmt.QueryContext(ctx, args...)
	} else if c.tx != nil {
		r, err = c.tx.QueryContext(ctx, query, args...)
	} else {
		r, err = c.db.QueryContext(ctx, query, args...)
	}
	if err != nil {
		return nil, explain(err)
	}
	return sqlRows{r}, nil
}

type sqlRows struct{ *sql.Rows }

func (r sqlRows) Close() { _ = r.Rows.Close() }

// pgConn is PostgreSQL, through pgx.
type pgConn struct {
	db interface {
		Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	}
}

func (c pgConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := c.db.Exec(ctx, numbered(query), args...)
	if err != nil {
		return 0, explain(err)
	}
	return tag.RowsAffected(), nil
}

func (c pgConn) query(ctx context.Context, query string, args ...any) (rows, error) {
	r, err := c.db.Query(ctx, numbered(query), args...)
	if err != nil {
		return nil, explain(err)
	}
	return r, nil
}

var (
	_ conn = sqlConn{}
	_ conn = pgConn{db: (*pgxpool.Pool)(nil)}
)

// numbered turns ? placeholders into PostgreSQL's $1, $2, … No query of ours has a literal question mark.
func numbered(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	n := 0
	for i := range len(query) {
		if query[i] == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		}
		b.WriteByte(query[i])
	}
	return b.String()
}

// explain gives the database's failures the code and the hint that a person needs.
func explain(err error) error {
	switch text := err.Error(); {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case strings.Contains(text, "disk is full"), strings.Contains(text, "No space left"), strings.Contains(text, "no space left"):
		return &fleet.Error{Code: fleet.CodeDiskFull, Message: "the database's disk is full", Hint: "free some space, then run again: nothing is lost", Err: err}
	case strings.Contains(text, "database is locked"):
		return &fleet.Error{Code: fleet.CodeDatabase, Message: "the database is locked by another process", Hint: "end the other process, or wait for it, then run again", Err: err}
	case strings.Contains(text, "not a database"), strings.Contains(text, "malformed"):
		return &fleet.Error{Code: fleet.CodeDatabase, Message: "the database file is damaged", Hint: "restore it from a backup, or name another data folder with --data", Err: err}
	default:
		return &fleet.Error{Code: fleet.CodeDatabase, Message: "the database refused", Err: err}
	}
}

// collect reads all rows with scan.
func collect[T any](ctx context.Context, c conn, scan func(rows) (T, error), query string, args ...any) ([]T, error) {
	r, err := c.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all []T
	for r.Next() {
		v, err := scan(r)
		if err != nil {
			return nil, explain(err)
		}
		all = append(all, v)
	}
	if err := r.Err(); err != nil {
		return nil, explain(err)
	}
	return all, nil
}

// one reads the first row with scan; ok is false when there is none.
func one[T any](ctx context.Context, c conn, scan func(rows) (T, error), query string, args ...any) (v T, ok bool, err error) {
	all, err := collect(ctx, c, scan, query, args...)
	if err != nil || len(all) == 0 {
		return v, false, err
	}
	return all[0], true, nil
}

func scanInt(r rows) (n int64, err error)   { err = r.Scan(&n); return n, err }
func scanText(r rows) (s string, err error) { err = r.Scan(&s); return s, err }

// marks renders "(?, ?), (?, ?)" for n rows of width columns.
func marks(n, width int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", width), ", ") + ")"
	return strings.TrimSuffix(strings.Repeat(row+", ", n), ", ")
}
