// Package security tests both links of a pipeline, to PostgreSQL and to Kafka, on real servers: who is let in,
// what encrypts and what is refused instead, which rights suffice and how each missing one is named, and that
// no secret and no payload shows anywhere. It holds tests only.
package security
