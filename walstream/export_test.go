package walstream

import (
	"testing"
	"time"

	"outferry/configs"
)

// CheckPublicationEvery shortens the watch for a test.
func CheckPublicationEvery(t *testing.T, d time.Duration) {
	oldSlot, oldPublication := slotEvery, publicationEvery
	slotEvery, publicationEvery = d, d
	t.Cleanup(func() { slotEvery, publicationEvery = oldSlot, oldPublication })
}

// PublicationSQL is how the publication is looked at.
func PublicationSQL(cfg *configs.Pipeline, version int) (publication, members string) {
	s := New(cfg, nil, Options{})
	return s.publicationSQL(version * 10000), s.membersSQL(version * 10000)
}
