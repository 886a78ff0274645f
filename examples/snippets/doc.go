// Package snippets holds the tests of the snippets around it. Each writes one post and its event in one
// transaction, as a program that finds schema.sql. Those in Go and SQL are run by every go test; the others
// fetch the libraries of their stack, and are run by make snippets.
package snippets
