package feedcheck

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// remember keeps the spec beside the ledger, or checks that it is the one that is there.
func (l *loader) remember(ctx context.Context) error {
	want, err := json.Marshal(l.spec)
	if err != nil {
		return fmt.Errorf("write the spec: %w", err)
	}
	var have string
	err = l.db.QueryRowContext(ctx, "SELECT spec FROM "+l.tables.Prefix+"_run").Scan(&have)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = l.db.ExecContext(ctx, l.sql("INSERT INTO "+l.tables.Prefix+"_run (spec, begun) VALUES (?, ?)"), string(want), time.Now().Unix())
		have = string(want)
	}
	if err != nil {
		return fmt.Errorf("keep the spec: %w", err)
	}
	if have != string(want) {
		return errors.New("these tables hold a run with another spec: take the same, or another prefix")
	}
	return nil
}

// Read returns the oracle of the run in these tables. The writers must have stopped.
func Read(ctx context.Context, d Dialect, db *sql.DB, t Tables) (*Oracle, error) {
	t = t.defaults()
	var text string
	var begun int64
	var spec Spec
	if err := db.QueryRowContext(ctx, "SELECT spec, begun FROM "+t.Prefix+"_run").Scan(&text, &begun); err != nil {
		return nil, fmt.Errorf("read the spec: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return nil, fmt.Errorf("read the spec: %w", err)
	}
	o, err := NewOracle(spec)
	if err != nil {
		return nil, err
	}
	o.Begun = time.Unix(begun, 0)
	for w := range spec.Writers {
		if err := o.read(ctx, d, db, t, w); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
	}
	return o, nil
}

func (o *Oracle) read(ctx context.Context, d Dialect, db *sql.DB, t Tables, w int) error {
	rows, err := db.QueryContext(ctx, d.Place("SELECT tx, versions, digest FROM "+t.Prefix+"_ledger WHERE w = ? ORDER BY tx"), w)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var tx, digest int64
		var text string
		if err := rows.Scan(&tx, &text, &digest); err != nil {
			return err
		}
		versions, err := parseVersions(text)
		if err != nil {
			return err
		}
		if err := o.Committed(w, tx, versions); err != nil {
			return err
		}
		if digest != o.planOf(w, tx).digest() {
			return fmt.Errorf("writer %d, transaction %d: another plan", w, tx)
		}
	}
	return rows.Err()
}
