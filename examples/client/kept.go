package client

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"

	"github.com/pawlkv/pawl"
)

// kept is a response that is being handled. Pawl's token may cover it already, so
// that no server would say again what it says of rooms.
type kept struct {
	Since    string          `json:"since"`
	Response json.RawMessage `json:"response"`
}

// next returns the response that was not handled, by this process or by one that
// died over it, or the next one.
func (c *Client) next(ctx context.Context) (pawl.SyncTicket, []byte, error) {
	if c.unhandled == nil {
		if err := c.recall(); err != nil {
			return pawl.SyncTicket{}, nil, err
		}
	}
	if k := c.unhandled; k != nil {
		return pawl.SyncTicket{Since: k.Since}, k.Response, nil // not NextSync's: its counts are old
	}
	ticket, err := c.NextSync(ctx)
	if err != nil {
		return ticket, nil, err
	}
	response, err := c.Do(ctx, "GET", "/_matrix/client/v3/sync?timeout=30000&since="+url.QueryEscape(ticket.Since), nil)
	if err != nil {
		return ticket, nil, err
	}
	return ticket, response, c.keep(&kept{ticket.Since, response})
}

// recall reads what is in the file, if it is there and whole: what is not was never
// given to ReceiveSync, and the server says it again.
func (c *Client) recall() error {
	if c.Kept == "" {
		return nil
	}
	text, err := os.ReadFile(c.Kept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var k kept
	if err == nil && json.Unmarshal(text, &k) == nil {
		c.unhandled = &k
	}
	return err
}

func (c *Client) keep(k *kept) error {
	if c.Kept != "" {
		text, err := json.Marshal(k)
		if err != nil {
			return err // not JSON: of a proxy, perhaps
		}
		file, err := os.OpenFile(c.Kept, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write(text)
		if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	c.unhandled = k
	return nil
}

// done forgets the response: all of it is handled.
func (c *Client) done() error {
	if c.Kept != "" {
		if err := os.Remove(c.Kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	c.unhandled = nil
	return nil
}
