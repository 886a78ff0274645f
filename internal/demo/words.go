package demo

import "strings"

// exampleSQL is a transaction of Comments, for somebody who wants to do it by hand.
const exampleSQL = `BEGIN;
INSERT INTO comments.comments (post_id, author, body) VALUES (1, 'Ada', 'Thank you for this.');
INSERT INTO comments.outbox (aggregatetype, aggregateid, type, payload)
  VALUES ('comment', '1', 'CommentAdded', '{"postId": 1, "author": "Ada", "body": "Thank you for this."}');
COMMIT;
`

func (s *screen) starting() {
	s.printf("Starting PostgreSQL and a broker. Where this machine has no PostgreSQL, it is fetched once (15 MB).\n\n")
}

// welcome says what runs where.
func (s *screen) welcome(srv *servers, b *blog, file string) {
	s.printf("%s\n\n", s.bold("Rows committed to PostgreSQL arrive in Kafka, each one once"))
	s.printf("  PostgreSQL  %s\n", srv.blogURL())
	s.printf("  Kafka       %s, a broker in this process's memory\n", strings.Join(srv.brokers(), ", "))
	s.printf("  Post        %s/posts, in schema post\n", b.post())
	s.printf("  Comments    %s/posts/1/comments, in schema comments\n", b.comments())
	s.printf("  Directory   %s, removed at the end\n\n", srv.dir)
	s.printf("The pipeline file:\n\n")
	s.block(file)
	s.printf("Two services, Post and Comments, commit their rows and their events together, and follow each other's events:\n" +
		"Comments accepts a comment only where it has heard of the post, and Post counts comments. One transaction:\n\n")
	s.block(exampleSQL)
	s.printf("Join in from another terminal; Ctrl-C ends the demo:\n\n")
	s.block("curl -d '{\"author\": \"you\", \"title\": \"Hello\"}' " + b.post() + "/posts\n" +
		"psql '" + srv.blogURL() + "' -c \"INSERT INTO comments.outbox (aggregatetype, aggregateid, type, payload)\n" +
		`  VALUES ('comment', '42', 'CommentLiked', '{\"by\": \"you\"}')"` + "\n")
}

// total closes the account.
func (s *screen) total(events int, w *writer) {
	s.printf("\n%s\n", s.bold(plural(w.total, "row")+" committed, "+plural(events, "event")+" arrived."))
	if n := int(w.refused.Load()); n > 0 {
		s.printf("Of %s refused, for want of a post, none did.\n", plural(n, "comment"))
	}
}

// services says what the two have in the end.
func (s *screen) services(w *writer) {
	s.printf("Comments holds %s, and Post counts %d.\n", plural(w.held, "comment"), w.counted)
}

// farewell says where to go from here.
func (s *screen) farewell() {
	s.printf("The servers and their directory are gone.\n\n")
	s.printf("For your own PostgreSQL (13 or newer, wal_level = logical) and Kafka, write posts.yaml:\n\n")
	s.block(yourFile)
	s.printf("and check it, run it, and insert a row:\n\n")
	s.block(`export DATABASE_URL='postgres://user:password@localhost:5432/posts'
outferry validate posts.yaml
outferry run posts.yaml
psql "$DATABASE_URL" -c "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
  VALUES (gen_random_uuid(), 'post', '1', 'PostPublished', '{\"title\": \"Hello\"}')"
`)
}
