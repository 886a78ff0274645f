// Package examples holds the tests of the two services: they run on real servers, with Outferry between them.
// The services are read from post/main.go and comments/main.go on; ../README.md leads through them.
package examples
