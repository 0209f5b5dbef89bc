package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lineReader reads lines of at most maxLine bytes.
type lineReader struct {
	r    *bufio.Reader
	read int64 // bytes
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, maxLine+1)}
}

// next returns the next line that is not empty, without its end, or io.EOF. A
// line that is too long is skipped and answered with errTooLong; the next call
// goes on after it. The line is valid until the next call.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.r.ReadSlice('\n')
		l.read += int64(len(line))
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, l.skip()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			return text, nil // the last line may have no end
		}
		if err != nil {
			return nil, err
		}
	}
}

// skip reads on to the end of a line that is too long.
func (l *lineReader) skip() error {
	for {
		part, err := l.r.ReadSlice('\n')
		l.read += int64(len(part))
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return fmt.Errorf("the line is %w: at most %d bytes", errTooLong, maxLine)
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}
