package walstream

import (
	"testing"

	"outferry/outbox"
)

// TestTimesThatAreNoneAreErrors: what the server never writes is no row, and spares the bytes behind it.
func TestTimesThatAreNoneAreErrors(t *testing.T) {
	for _, text := range []string{"", "+02", "10:11:12", "10:11:12+", "10:11:12+2", "10:11:12+99", "10:11:12+02:", "10:11:12+01:02:03:04", "10:1x:12+02", "10:11-12"} {
		for kind, text := range map[outbox.Kind]string{outbox.TimeTZ: text, outbox.Array: "{1" + text + "}"} {
			room := []byte(text + "behind")
			got, err := canonical(&outbox.Column{Kind: kind, Elem: outbox.TimeTZ}, room[:len(text)])
			if err == nil || string(room) != text+"behind" {
				t.Errorf("%q: got %q, %v, beside it %q", text, got, err, room)
			}
		}
	}
}
