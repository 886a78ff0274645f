// Command database-sql writes a post and its event with database/sql, which has many drivers.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log"
	"os"
	"strconv"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
)

func main() {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := publish(context.Background(), db, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// snippet: begin
func publish(ctx context.Context, db *sql.DB, title string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	var id int64
	if err := tx.QueryRowContext(ctx, `INSERT INTO posts (title) VALUES ($1) RETURNING id`, title).Scan(&id); err != nil {
		return err
	}
	payload, err := json.Marshal(map[string]any{"id": id, "title": title})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ($1, 'post', $2, 'PostPublished', $3)`,
		uuid.NewString(), strconv.FormatInt(id, 10), string(payload))
	if err != nil {
		return err
	}
	return tx.Commit()
}

// snippet: end
