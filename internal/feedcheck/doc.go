// Package feedcheck judges a feed from outside: it writes a workload into an outbox table, reads what
// arrived in Kafka, and says exactly what is wrong with it.
//
// In goes a database and a broker; out comes a Report with one count for each class of wrong. The
// oracle is the database: Load leaves one ledger row for each transaction that it commits, so a
// commit whose answer was lost is settled by looking, and every outbox row can be computed again
// from the seed. Check reads the topics from their beginning and compares.
//
// It knows the product by its output only and imports nothing of it: the routing here is a second
// writing of the rules, so that a mistake in one isn't excused by the other.
//
// On MySQL and MariaDB no transaction is prepared first (XA with outbox rows stops the product), and the
// positions of the offset records are not compared with each other.
//
// What the caller has to see to: nobody else writes into the outbox table or the topics; the pipeline
// is there before the first row, unless Spec.Deletes is 0 and it takes the backlog as a snapshot; the
// offsets topic was made by MakeOffsetsTopic, or was not compacted meanwhile.
package feedcheck
