package pawlmautrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"

	"github.com/pawlkv/pawl"
)

// sender sends the requests of an account. Several processes may do that at once
// without agreeing: a request is handed out to one of them, and does no harm twice.
type sender struct {
	client  *mautrix.Client
	machine *pawl.Machine
	log     zerolog.Logger
	kicked  chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	mu   sync.Mutex
	vain map[pawl.RequestID]time.Time // queries without an answer: since when
}

// idle is how long the sender waits without being told that there may be something.
const idle = time.Minute

// errNoAnswer: the server could not be reached, or its answer was lost.
var errNoAnswer = errors.New("the homeserver did not answer")

func newSender(c *mautrix.Client, m *pawl.Machine, log zerolog.Logger) *sender {
	s := &sender{client: c, machine: m, log: log, kicked: make(chan struct{}, 1), vain: map[pawl.RequestID]time.Time{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *sender) start() { s.ended.Go(s.run) }

func (s *sender) stop() {
	s.cancel()
	s.ended.Wait()
}

// kick tells that there may be requests.
func (s *sender) kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

// run sends whatever there is, whenever there may be something, until stop. While
// nothing gets through it comes back after a second, and later after a minute.
func (s *sender) run() {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Second, idle
	for wait := time.Duration(0); ; {
		if !s.wait(wait) {
			return
		}
		wait = idle
		err := s.sendAll(s.ctx)
		switch {
		case err == nil:
			pause.Reset()
			continue
		case s.ctx.Err() != nil:
			return
		case errors.Is(err, mautrix.MUnknownToken):
			s.log.Error().Err(err).Msg("The access token is not valid any more: no requests of the device's keys are sent")
			return
		}
		wait = pause.NextBackOff()
		s.log.Warn().Err(err).Dur("retry_in", wait).Msg("Failed to send requests of the device's keys")
		if !s.pause(wait) {
			return
		}
		wait = 0
	}
}

// wait returns when there may be something to send, false: at the end.
func (s *sender) wait(most time.Duration) bool {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-s.ctx.Done():
		return false
	case <-s.kicked:
	case <-t.C:
	}
	return true
}

// pause waits, whatever there is to send.
func (s *sender) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// sendAll sends requests until there are none. It ends at the first that gets no
// answer.
func (s *sender) sendAll(ctx context.Context) error {
	for {
		requests, err := s.machine.OutgoingRequests(ctx)
		if err := s.sendEach(ctx, requests); err != nil {
			return err
		}
		if err != nil || len(requests) == 0 {
			return err
		}
	}
}

// sendEach sends requests, up to the first that gets no answer. Those after it are given
// back: else nobody would be handed them for a while.
func (s *sender) sendEach(ctx context.Context, requests []pawl.Request) error {
	for i, r := range requests {
		if err := s.send(ctx, r); err != nil {
			for _, rest := range requests[i+1:] {
				err = errors.Join(err, s.failed(context.WithoutCancel(ctx), rest, pawl.NotSent(), nil))
			}
			return err
		}
	}
	return nil
}

// send sends one request and tells what became of it. It fails if the server did not
// answer, if it answered that the client is not logged in, and with errors of the
// store. It does not try twice: a body with one-time keys is sent once, whatever the
// client does with other requests.
func (s *sender) send(ctx context.Context, r pawl.Request) error {
	body, response, err := s.client.MakeFullRequestWithResp(ctx, mautrix.FullRequest{
		Method: r.Method, URL: s.url(r), RequestBytes: r.Body, MaxAttempts: 1, SensitiveContent: true,
		Headers: http.Header{"Content-Type": {"application/json"}},
	})
	ctx = context.WithoutCancel(ctx) // what is known is told
	if err == nil {
		err = s.machine.MarkSent(ctx, r.ID, body)
		switch {
		case errors.Is(err, pawl.ErrNoRequest): // another process sent it too
			return nil
		case errors.Is(err, pawl.ErrAnswer):
			s.log.Warn().Err(err).Stringer("request", r.Kind).Msg("The homeserver's answer is none to the request")
			return s.failed(ctx, r, pawl.Unknown(), err)
		}
		return err
	}
	switch {
	case response == nil && neverSent(err):
		return s.failed(ctx, r, pawl.NotSent(), err)
	case response == nil || response.StatusCode < 300:
		return s.failed(ctx, r, pawl.Unknown(), err)
	case response.StatusCode == http.StatusTooManyRequests:
		return s.failed(ctx, r, pawl.Later(time.Now().Add(retryAfter(response, body))), nil)
	case response.StatusCode >= http.StatusInternalServerError:
		return s.failed(ctx, r, pawl.Refused(response.StatusCode, body), err)
	case errors.Is(err, mautrix.MUnknownToken):
		return errors.Join(err, s.failed(ctx, r, pawl.Refused(response.StatusCode, body), nil))
	}
	s.log.Warn().Err(err).Stringer("request", r.Kind).Msg("The homeserver refused a request")
	return s.failed(ctx, r, pawl.Refused(response.StatusCode, body), nil)
}

// queryPatience is how long a query without an answer is sent again: who has devices
// that nobody knows of could not read what is sent meanwhile, so that encrypting fails.
const queryPatience = time.Minute

// again reports whether a request without an answer is to be sent again as it is. A query
// may be; after a while nobody is held up by it any more.
func (s *sender) again(r pawl.Request) bool {
	if r.Kind != pawl.KeysQuery {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	since, known := s.vain[r.ID]
	if !known {
		maps.DeleteFunc(s.vain, func(_ pawl.RequestID, at time.Time) bool { return time.Since(at) > 2*queryPatience })
		s.vain[r.ID] = time.Now()
	}
	return !known || time.Since(since) < queryPatience
}

// failed tells why there is no answer, and returns the cause.
func (s *sender) failed(ctx context.Context, r pawl.Request, why pawl.Failure, cause error) error {
	if cause != nil && s.again(r) {
		why = pawl.NotSent()
	}
	err := s.machine.MarkFailed(ctx, r.ID, why)
	if errors.Is(err, pawl.ErrNoRequest) {
		err = nil
	}
	if cause != nil {
		cause = fmt.Errorf("%w: %w", errNoAnswer, cause)
	}
	return errors.Join(cause, err)
}

// A server that asks for less is asked again after leastPause all the same: it may say 0, or
// a time that is over by its clock or by ours. Pawl waits a day at most.
const (
	leastPause = 100 * time.Millisecond
	mostPause  = 24 * time.Hour
)

// retryAfter is how long the server asks to wait: in the header, as seconds or as a time by
// its clock, or, as older ones say it, in the body.
func retryAfter(response *http.Response, body []byte) time.Duration {
	var limit struct {
		Milliseconds float64 `json:"retry_after_ms"`
	}
	asked, wait := response.Header.Get("Retry-After"), time.Duration(0)
	seconds, noNumber := strconv.ParseFloat(asked, 64)
	at, noTime := http.ParseTime(asked)
	switch {
	case noNumber == nil:
		wait = bounded(seconds, time.Second)
	case noTime == nil:
		now, err := http.ParseTime(response.Header.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = at.Sub(now)
	case json.Unmarshal(body, &limit) == nil:
		wait = bounded(limit.Milliseconds, time.Millisecond)
	}
	if wait <= 0 {
		return time.Second
	}
	return min(max(wait, leastPause), mostPause)
}

// bounded is a number of units, mostPause at most; 0: it is none.
func bounded(n float64, unit time.Duration) time.Duration {
	if !(n > 0) {
		return 0
	}
	return time.Duration(min(n, float64(mostPause/unit)) * float64(unit))
}

// neverSent reports that no byte can have left: there was no connection.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// url is that of a request, as the client asks: for an application service's user,
// say.
func (s *sender) url(r pawl.Request) string {
	switch r.Kind {
	case pawl.KeysUpload:
		return s.client.BuildClientURL("v3", "keys", "upload")
	case pawl.KeysQuery:
		return s.client.BuildClientURL("v3", "keys", "query")
	case pawl.KeysClaim:
		return s.client.BuildClientURL("v3", "keys", "claim")
	}
	return s.client.BuildClientURL("v3", "sendToDevice", r.EventType, r.ID.String())
}
