package database

import (
	"context"
	"database/sql"
	"fmt"
)

// Tx is one transaction: what it does becomes true together, or not at all.
type Tx struct {
	tx     *sql.Tx
	engine engine
}

// InTx commits what work does, and rolls it back when work returns an error.
func (db *DB) InTx(ctx context.Context, work func(*Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := work(&Tx{tx: tx, engine: db.engine}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Exec runs a statement and returns how many rows it met.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	result, err := t.tx.ExecContext(ctx, t.engine.placeholders(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Row runs a query for one row.
func (t *Tx) Row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(ctx, t.engine.placeholders(query), args...)
}

// Rows runs a query; the caller closes what it returns.
func (t *Tx) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(ctx, t.engine.placeholders(query), args...)
}

// Insert inserts a row and returns the id that the database gave it.
func (t *Tx) Insert(ctx context.Context, query string, args ...any) (id int64, err error) {
	if t.engine == postgres {
		err = t.Row(ctx, query+" RETURNING id", args...).Scan(&id)
		return id, err
	}
	result, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// InsertNew inserts a key into a table, and reports false where it was there already.
func (t *Tx) InsertNew(ctx context.Context, table, column string, key any) (inserted bool, err error) {
	query := "INSERT INTO " + table + " (" + column + ") VALUES (?)"
	if t.engine == postgres {
		query += " ON CONFLICT DO NOTHING"
	} else {
		query += " ON DUPLICATE KEY UPDATE " + column + " = " + column // INSERT IGNORE would hide other faults too
	}
	rows, err := t.Exec(ctx, query, key)
	return rows == 1, err
}
