package pgkv

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// call is one of a function of the schema. Its arguments are text as PostgreSQL reads
// it; the function says of what types they are.
type call struct {
	function string
	args     [][]byte
}

// newCall begins a call about a space.
func newCall(function, space string) *call {
	return (&call{function: function}).text(space)
}

func (c *call) add(arg []byte) *call {
	c.args = append(c.args, arg)
	return c
}

func (c *call) text(s string) *call    { return c.add([]byte(s)) }
func (c *call) number(n int64) *call   { return c.add(strconv.AppendInt(nil, n, 10)) }
func (c *call) bytes(b string) *call   { return c.add(appendBytes(nil, `\x`, b)) }
func (c *call) names(n []string) *call { return c.add(array(n, appendName)) }

// appendBytes appends the hexadecimal form of bytes behind its mark.
func appendBytes[T string | []byte](to []byte, mark string, b T) []byte {
	return hex.AppendEncode(append(to, mark...), []byte(b))
}

// array is the text of an array.
func array[T any](items []T, appendItem func([]byte, T) []byte) []byte {
	text := []byte{'{'}
	for i, item := range items {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendItem(text, item)
	}
	return append(text, '}')
}

// appendKey appends a key as an element: in an array the backslash is written twice.
func appendKey(to []byte, key string) []byte { return appendBytes(to, `\\x`, key) }

// appendValue appends a value as an element, NULL for none.
func appendValue(to []byte, value []byte) []byte {
	if value == nil {
		return append(to, "NULL"...)
	}
	return appendBytes(to, `\\x`, value)
}

func appendVersion(to []byte, v kv.Version) []byte { return strconv.AppendUint(to, uint64(v), 10) }

func appendNumber[T int | int64](to []byte, n T) []byte { return strconv.AppendInt(to, int64(n), 10) }

func appendFlag(to []byte, flag bool) []byte { return strconv.AppendBool(to, flag) }

// appendName appends a text as an element.
func appendName(to []byte, name string) []byte {
	return append(append(append(to, '"'), strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)...), '"')
}

// statement is the call as one statement, with all that it is about in its text. The
// server must have standard_conforming_strings, as all have since version 9.1.
func (c *call) statement(schema string) string {
	size := 64
	for _, arg := range c.args {
		size += len(arg) + 3
	}
	text := make([]byte, 0, size)
	text = append(append(append(append(text, "SELECT * FROM "...), schema...), '.'), c.function...)
	for i, arg := range c.args {
		text = append(text, "(,"[min(i, 1)], '\'')
		for _, b := range arg {
			if b == '\'' {
				text = append(text, '\'')
			}
			text = append(text, b)
		}
		text = append(text, '\'')
	}
	return string(append(text, ')'))
}

// prepared is the call as a statement with parameters.
func (c *call) prepared(schema string) string {
	places := make([]string, len(c.args))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return "SELECT * FROM " + schema + "." + c.function + "(" + strings.Join(places, ",") + ")"
}

// row is one of an answer, each column nil if it is NULL.
type row [][]byte

// number is a column of an answer in text.
func (r row) number(i int) (int64, error) {
	n, err := strconv.ParseInt(string(r[i]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: the server answered %q for a number", kv.ErrUnusable, r[i])
	}
	return n, nil
}

// bytes is a column of bytes of an answer in text.
func (r row) bytes(i int) (string, error) {
	text, ok := strings.CutPrefix(string(r[i]), `\x`)
	b, err := hex.DecodeString(text)
	if !ok || err != nil {
		return "", fmt.Errorf("%w: the server answers bytes in another form than hexadecimal: set bytea_output to hex", kv.ErrUnusable)
	}
	return string(b), nil
}

// binary is a column of 4 or 8 bytes of an answer in binary.
func (r row) binary(i int) int64 {
	switch b := r[i]; len(b) {
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}
