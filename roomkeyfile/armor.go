package roomkeyfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

const (
	firstLine = "-----BEGIN MEGOLM SESSION DATA-----"
	lastLine  = "-----END MEGOLM SESSION DATA-----"
	// lineSize is how many characters of base64 a line gets that is written.
	lineSize = 76
	// maxPreface bounds what may stand before the first line, which others pass over.
	maxPreface = 64 << 10
)

// body is what stands between the first and the last line of a file, as characters
// of base64. Others break lines where they like, or not at all, end them with CRLF,
// and pad or do not; what follows the last line is nobody's.
type body struct {
	r       *bufio.Reader
	padding int
	end     error
}

// openBody passes over the first line.
func openBody(file io.Reader) (*body, error) {
	r := bufio.NewReaderSize(file, 32<<10)
	return &body{r: r}, passFirstLine(r)
}

func passFirstLine(r *bufio.Reader) error {
	for read := 0; read < maxPreface; {
		line, err := r.ReadSlice('\n')
		read += len(line)
		if bytes.Equal(bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff"))), []byte(firstLine)) {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return damaged("it has no line %q", firstLine)
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("roomkeyfile: %w", err)
		}
	}
	return damaged("no line %q in its first %d bytes", firstLine, maxPreface)
}

// another reports whether a second file begins behind the last line, which was read:
// somebody has put two into one.
func (b *body) another() (bool, error) {
	err := passFirstLine(b.r)
	if errors.Is(err, ErrFormat) {
		return false, nil
	}
	return err == nil, err
}

// bytes returns the bytes that the characters stand for.
func (b *body) bytes() io.Reader { return &decoded{base64.NewDecoder(base64.RawStdEncoding, b), b} }

// decoded is what stands in a body. Its errors are those of the body before those of
// the base64 that it cuts off.
type decoded struct {
	r io.Reader
	b *body
}

// Read implements io.Reader.
func (d *decoded) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	switch {
	case err == nil || errors.Is(err, io.EOF) && errors.Is(d.b.end, io.EOF):
		return n, err
	case d.b.end != nil && !errors.Is(d.b.end, io.EOF):
		return n, d.b.end
	}
	return n, damaged("what stands between its lines is not base64")
}

// Read implements io.Reader. It ends with io.EOF after the last line only.
func (b *body) Read(p []byte) (n int, err error) {
	for n < len(p) && b.end == nil {
		c, err := b.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			b.end = fmt.Errorf("%w: it has no line %q", ErrCut, lastLine)
		case err != nil:
			b.end = fmt.Errorf("roomkeyfile: %w", err)
		case c == '\n' || c == '\r' || c == ' ' || c == '\t':
		case c == '-':
			b.end = b.last()
		case c == '=' && b.padding < 2:
			b.padding++
		case c == '=' || b.padding > 0:
			b.end = damaged("something follows the end of its base64")
		default:
			p[n] = c
			n++
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.end
}

// last reads the last line, of which one character was read, and returns io.EOF.
func (b *body) last() error {
	rest := make([]byte, len(lastLine)-1)
	n, err := io.ReadFull(b.r, rest)
	switch whole := lastLine[1:]; {
	case err == nil && string(rest) == whole:
		return io.EOF
	case (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && string(rest[:n]) == whole[:n]:
		return fmt.Errorf("%w: its line %q is not whole", ErrCut, lastLine)
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("roomkeyfile: %w", err)
	}
	return damaged("a line is neither base64 nor %q", lastLine)
}

// lines breaks what is written into lines.
type lines struct {
	w    *bufio.Writer
	used int // characters of the line that was begun
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(len(p), n+lineSize-l.used)]
		if _, err = l.w.Write(part); err != nil {
			break
		}
		n += len(part)
		if l.used += len(part); l.used == lineSize {
			err = l.finish()
		}
	}
	return n, err
}

// finish ends the line that was begun, if one was.
func (l *lines) finish() error {
	if l.used == 0 {
		return nil
	}
	l.used = 0
	return l.w.WriteByte('\n')
}
