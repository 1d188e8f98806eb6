package testenv

import (
	"bytes"
	"testing"
)

func TestProgramsCompressToHalfTheirSize(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		meta, err := Layer{Blob: "tools", Programs: size}.write(out)
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(meta.Size) / size; ratio < 0.45 || ratio > 0.55 {
			t.Errorf("%d bytes were compressed to %d, %.2f of it", size, meta.Size, ratio)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same layer was made of different bytes")
	}
}

func TestPaddingKeepsTheProgramInFront(t *testing.T) {
	t.Parallel()
	padded := Pad([]byte("program"), 1001)
	if len(padded) != 1001 || !bytes.HasPrefix(padded, []byte("program")) || !bytes.Equal(padded, Pad([]byte("program"), 1001)) {
		t.Errorf("padded to %d bytes that begin with %q", len(padded), padded[:7])
	}
}
