// Command post is the service Post.
//
//	DATABASE_URL=postgres://post:secret@localhost:5432/post KAFKA_BROKERS=localhost:9092 LISTEN=:8081 go run ./examples/go/post
package main

import (
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"outferry/examples/go/postservice"
	"outferry/examples/go/service"
)

func main() { service.Main("localhost:8081", postservice.New) }
