// Package arrows keeps the imports of the house one-way: outbox is the floor, sources, router, encode and
// offsets stand on it, pipeline joins them, cmd is the roof. It holds a test only.
package arrows
