// Command pgx writes a post and its event with pgx.
package main

import (
	"context"
	"log"
	"os"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

func main() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := publish(ctx, conn, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// snippet: begin
func publish(ctx context.Context, conn *pgx.Conn, title string) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var id int64
		if err := tx.QueryRow(ctx, `INSERT INTO posts (title) VALUES ($1) RETURNING id`, title).Scan(&id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ($1, 'post', $2, 'PostPublished', $3)`,
			uuid.New(), strconv.FormatInt(id, 10), map[string]any{"id": id, "title": title})
		return err
	})
}

// snippet: end
