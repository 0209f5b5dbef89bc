package jsonobject

import "bytes"

// Parts goes through a valid JSON text, part by part. Of another one it makes
// nonsense, but ends.
type Parts struct{ Rest []byte }

// Next skips white space and returns the byte that follows, which it leaves; 0: none.
func (p *Parts) Next() byte {
	for i, c := range p.Rest {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			p.Rest = p.Rest[i:]
			return c
		}
	}
	p.Rest = nil
	return 0
}

// Take skips white space, and a byte if it is this one.
func (p *Parts) Take(b byte) bool {
	if p.Next() != b || b == 0 {
		return false
	}
	p.Rest = p.Rest[1:]
	return true
}

// Value skips white space and returns the value that follows; it is empty if there is
// none.
func (p *Parts) Value() []byte {
	p.Next()
	n := valueSize(p.Rest)
	value := p.Rest[:n:n]
	p.Rest = p.Rest[n:]
	return value
}

func valueSize(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		return stringSize(b)
	case '{', '[':
		return nestedSize(b)
	}
	if n := bytes.IndexAny(b, ",:]} \t\r\n"); n >= 0 {
		return n
	}
	return len(b)
}

// stringSize is up to the first quote that nothing escapes.
func stringSize(b []byte) int {
	for n := 1; ; {
		i := bytes.IndexByte(b[n:], '"')
		if i < 0 {
			return len(b)
		}
		n += i + 1
		inside := b[1 : n-1]
		if escapes := len(inside) - len(bytes.TrimRight(inside, `\`)); escapes%2 == 0 {
			return n
		}
	}
}

func nestedSize(b []byte) int {
	depth := 0
	for n := 0; n < len(b); n++ {
		switch b[n] {
		case '"':
			n += stringSize(b[n:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return n + 1
			}
		}
	}
	return len(b)
}
