// Command comments is the service Comments.
//
//	DATABASE_URL=postgres://comments:secret@localhost:5432/comments KAFKA_BROKERS=localhost:9092 LISTEN=:8082 go run ./examples/go/comments
package main

import (
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"outferry/examples/go/commentservice"
	"outferry/examples/go/service"
)

func main() { service.Main("localhost:8082", commentservice.New) }
