package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/spf13/cobra"
)

// maxBatchBytes bounds the lines that wait, and those of one batch.
const maxBatchBytes = 4 << 20

// inputLine is a line of an input: its bytes, or errTooLong.
type inputLine struct {
	bytes []byte
	size  int64 // in the input, with its end and the empty lines before it
	err   error
}

// waitingLines are the lines of an input that wait to be handled. A goroutine
// reads them, so that a batch ends when no more input waits: a program that has
// written one line and waits for its answer gets it, and lines that come while a
// batch is committed are the next one.
type waitingLines struct {
	arrived chan struct{} // one place: lines were added, or there are no more
	taken   chan struct{} // one place: there is room

	mu    sync.Mutex
	lines []inputLine
	bytes int
	end   error // why no more come
}

// readLines begins to read standard input, in lines of so many bytes at most. The goroutine ends with the input, or
// when the context has ended and the lines that it read are as many as may wait.
func readLines(cmd *cobra.Command, what string, limit int) *waitingLines {
	tellWaiting(cmd, what)
	w := &waitingLines{arrived: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
	go w.fill(cmd.Context(), newLineReader(cmd.InOrStdin(), limit))
	return w
}

func (w *waitingLines) fill(ctx context.Context, r *lineReader) {
	for {
		lines, end := r.waiting()
		if !w.add(ctx, lines, end) || end != nil {
			return
		}
	}
}

// add adds lines when there is room for them.
func (w *waitingLines) add(ctx context.Context, lines []inputLine, end error) bool {
	for {
		w.mu.Lock()
		room := w.bytes < maxBatchBytes
		if room {
			w.lines = append(w.lines, lines...)
			w.bytes += bytesOf(lines)
			w.end = end
		}
		w.mu.Unlock()
		if room {
			leaveWord(w.arrived)
			return true
		}
		select {
		case <-w.taken:
		case <-ctx.Done():
			return false
		}
	}
}

// next waits for the next line, and returns it with those that wait behind it: at
// most so many. When there are no more it returns io.EOF or why, perhaps with
// the last of them.
func (w *waitingLines) next(ctx context.Context, most int) ([]inputLine, error) {
	for {
		if lines, end := w.take(most); len(lines) > 0 || end != nil {
			return lines, end
		}
		select {
		case <-w.arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (w *waitingLines) take(most int) ([]inputLine, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(most, len(w.lines))
	lines := slices.Clone(w.lines[:n])
	w.lines = slices.Delete(w.lines, 0, n)
	w.bytes -= bytesOf(lines)
	leaveWord(w.taken)
	if len(w.lines) > 0 {
		return lines, nil
	}
	return lines, w.end
}

// leaveWord tells one who waits, now or later.
func leaveWord(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func bytesOf(lines []inputLine) (n int) {
	for _, l := range lines {
		n += len(l.bytes)
	}
	return n
}

// waiting waits for a line, and returns it with those that were read with it.
func (l *lineReader) waiting() (lines []inputLine, end error) {
	for size := 0; size < maxBatchBytes; {
		before := l.read
		line, err := l.next()
		if err != nil && !errors.Is(err, errTooLong) {
			return lines, err
		}
		lines = append(lines, inputLine{bytes.Clone(line), l.read - before, err})
		size += len(line)
		if !l.whole() {
			break
		}
	}
	return lines, nil
}

// whole reports whether the next line was read already, so that next will not
// wait for it.
func (l *lineReader) whole() bool {
	read, err := l.r.Peek(l.r.Buffered())
	end := bytes.LastIndexByte(read, '\n')
	return err == nil && end >= 0 && len(bytes.TrimSpace(read[:end])) > 0
}
