// Package docs keeps README.md and docs/ true: what they show is run or validated, and what they name exists.
// It holds tests only.
package docs
