package walstream

import (
	"testing"
	"time"
)

// CheckPublicationEvery shortens the watch for a test.
func CheckPublicationEvery(t *testing.T, d time.Duration) {
	oldSlot, oldPublication := slotEvery, publicationEvery
	slotEvery, publicationEvery = d, d
	t.Cleanup(func() { slotEvery, publicationEvery = oldSlot, oldPublication })
}
