package binlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// payload reads the events inside a compressed transaction, one at a time, whatever its size. They have
// neither checksums nor positions of their own.
type payload struct {
	zstd *zstd.Decoder
	in   *bufio.Reader
	h    header
	rest int
	big  []byte
}

// The fields that stand before the compressed bytes.
const (
	payloadEnd         = 0
	payloadCompression = 2

	compressionZSTD = 0
	compressionNone = 255
)

// maxWindow is the most memory that the unpacking of any transaction may take: the window of MySQL's highest level. A
// transaction takes what its own level needs, 2 MiB by default.
const maxWindow = 128 << 20

// open reads the fields and makes ready for the first event.
func (p *payload) open(outer body) error {
	compression, err := payloadFields(outer)
	if err != nil {
		return fmt.Errorf("read compressed transaction: %w", err)
	}
	p.h, p.rest = header{}, 0
	var plain io.Reader = outer
	switch compression {
	case compressionNone:
	case compressionZSTD:
		if err := p.reset(outer); err != nil {
			return fmt.Errorf("read compressed transaction: %w", err)
		}
		plain = p.zstd
	default:
		return fmt.Errorf("read compressed transaction: compression %d is unknown", compression)
	}
	if p.in == nil {
		p.in = bufio.NewReaderSize(plain, 64<<10)
	} else {
		p.in.Reset(plain)
	}
	return nil
}

func (p *payload) reset(outer io.Reader) (err error) {
	if p.zstd != nil {
		return p.zstd.Reset(outer)
	}
	p.zstd, err = zstd.NewReader(outer, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	return err
}

func (p *payload) close() {
	if p.zstd != nil {
		p.zstd.Close()
	}
}

// payloadFields reads up to the mark after which the packed bytes begin.
func payloadFields(outer body) (compression uint64, err error) {
	for {
		kind, err := readLenenc(outer)
		if err != nil || kind == payloadEnd {
			return compression, err
		}
		size, err := readLenenc(outer)
		if err != nil {
			return 0, err
		}
		if size > 16 {
			return 0, fmt.Errorf("field %d has %d bytes", kind, size)
		}
		value := make([]byte, size)
		if _, err := io.ReadFull(outer, value); err != nil {
			return 0, err
		}
		if kind == payloadCompression {
			c := cursor{data: value}
			if compression = c.lenenc(); c.bad {
				return 0, c.err()
			}
		}
	}
}

// readLenenc reads a length-encoded integer byte by byte: nothing beyond it may be taken.
func readLenenc(r io.Reader) (uint64, error) {
	var b [9]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return 0, err
	}
	n := map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[b[0]]
	if _, err := io.ReadFull(r, b[1:1+n]); err != nil {
		return 0, err
	}
	c := cursor{data: b[:1+n]}
	return c.lenenc(), c.err()
}

// next returns the header of the next event, or io.EOF after the last.
func (p *payload) next() (header, error) {
	if err := p.finish(); err != nil {
		return header{}, err
	}
	var raw [eventHeader]byte
	if _, err := io.ReadFull(p.in, raw[:]); err != nil {
		return header{}, err
	}
	h, err := parseHeader(raw[:])
	p.h, p.rest = h, int(h.size)-eventHeader
	return h, err
}

// each takes event after event.
func (p *payload) each(take func(header) error) error {
	for {
		h, err := p.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = take(h)
		}
		if err != nil {
			return err
		}
	}
}

func (p *payload) finish() error {
	if p.rest <= 0 {
		return nil
	}
	_, err := io.CopyN(io.Discard, p.in, int64(p.rest))
	p.rest = 0
	return noEOF(err)
}

func (p *payload) peek(n int) ([]byte, error) {
	b, err := p.in.Peek(min(n, p.rest, p.in.Size()))
	return b, noEOF(err)
}

func (p *payload) all(limit int) ([]byte, error) {
	if p.rest > limit {
		return nil, errTooLarge
	}
	n := p.rest
	if n <= p.in.Size() {
		b, err := p.in.Peek(n)
		if err != nil {
			return nil, noEOF(err)
		}
		p.rest = 0
		_, err = p.in.Discard(n)
		return b, err
	}
	return p.collect()
}

// collect grows as the bytes come, since the size is the sender's word only.
func (p *payload) collect() ([]byte, error) {
	p.big = p.big[:0]
	for p.rest > 0 {
		b, err := p.in.Peek(min(p.rest, p.in.Size()))
		if err != nil {
			return nil, noEOF(err)
		}
		p.big = append(p.big, b...)
		p.rest -= len(b)
		if _, err := p.in.Discard(len(b)); err != nil {
			return nil, err
		}
	}
	return p.big, nil
}

func (p *payload) Read(b []byte) (int, error) {
	if p.rest == 0 {
		return 0, io.EOF
	}
	n, err := p.in.Read(b[:min(len(b), p.rest)])
	p.rest -= n
	return n, noEOF(err)
}

// noEOF: inside an event the end of the data is no end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errShort
	}
	return err
}
