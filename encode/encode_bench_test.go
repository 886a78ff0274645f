package encode

import (
	"fmt"
	"testing"

	"outferry/outbox"
)

var sizes = []int{200, 1 << 10, 16 << 10}

// BenchmarkEncode writes a payload column that is text in each form.
func BenchmarkEncode(b *testing.B) {
	col := &outbox.Column{Name: "payload", Kind: outbox.JSON, Nullable: true}
	for _, form := range []string{"auto", "json", "json_with_schema"} {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("%s/%d", form, size), func(b *testing.B) {
				f, err := ParseForm(form)
				if err != nil {
					b.Fatal(err)
				}
				e, text, buf := NewEncoder(f, col), sampleJSON(size), make([]byte, 0, 2*size+1000)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, buf, err = e.Encode(buf[:0], text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkExpand writes JSON anew, without schema and with.
func BenchmarkExpand(b *testing.B) {
	for _, size := range sizes {
		x, text, buf := NewExpander(false, false), sampleJSON(size), make([]byte, 0, 2*size)
		b.Run(fmt.Sprintf("plain/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				var ok bool
				if buf, ok = x.Append(buf[:0], text); !ok {
					b.Fatal("it was not expanded")
				}
			}
		})
		b.Run(fmt.Sprintf("with_schema/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := x.Typed(text, "payload"); !ok {
					b.Fatal("it was not expanded")
				}
			}
		})
	}
}
