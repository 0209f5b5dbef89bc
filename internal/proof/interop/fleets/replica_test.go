//go:build linux

package fleets

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// replicaEnv marks the replicas of a bridge, which are told the rest as processes of a
// history are.
const replicaEnv = "PAWL_FLEET_REPLICA"

// order is what a replica is asked for, a line each: a message for a device, or to make the
// device.
type order struct {
	Number int
	Device int
	Create bool
	Sender string
	Type   ratchet.MessageType
	Body   []byte
}

// reply is what came of the order with its number.
type reply struct {
	Number               int
	Text                 []byte
	Duplicate            bool
	Identity, OneTimeKey string // of a device that was made
	Err                  string
	Phases               phases
}

// phases are how far a replica with an order had come when.
type phases struct {
	Began    time.Time // the program itself
	Ready    time.Time // the engine is open
	Told     time.Time // what to do
	Opened   time.Time // the device
	Answered time.Time
}

// from says how long each took, from when the process was started.
func (p phases) from(start time.Time) string {
	var took []string
	for _, one := range []struct {
		name string
		at   time.Time
	}{{"program", p.Began}, {"engine", p.Ready}, {"order", p.Told}, {"device", p.Opened}, {"message", p.Answered}, {"reply", time.Now()}} {
		took = append(took, fmt.Sprintf("%s %v", one.name, one.at.Sub(start).Round(time.Millisecond)))
		start = one.at
	}
	return strings.Join(took, ", ")
}

// replica is all devices of a bridge, each in a space of its own that is opened when it is
// first asked for.
type replica struct {
	store   func(ctx context.Context, name string) (kv.Store, error)
	opening chan struct{} // has room for those that are being opened
	mu      sync.Mutex
	devices map[int]func() (*pawl.Machine, error)
}

// openAtOnce is how many devices a replica opens at a time. A new one is asked for many at
// once, and the first is not to wait until all others have come as far.
const openAtOnce = 2

// placesOfReplica are how many connections to PostgreSQL a replica has, beside the one that
// listens.
const placesOfReplica = 8

// replicaWait is how long a call of a replica may take: the machine may be busy.
const replicaWait = time.Minute

// spacesOf opens the engine of a bridge, and returns what opens a space of it.
func spacesOf(ctx context.Context, engine, url, dir string) (store func(context.Context, string) (kv.Store, error), end func(), err error) {
	if engine == etcd {
		db, err := etcdkv.Open(ctx, clientv3.Config{Endpoints: strings.Split(url, ",")}, etcdkv.WithWait(replicaWait), etcdkv.WithWitnessDir(dir))
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, name string) (kv.Store, error) { return db.Store(ctx, name) }, func() { _ = db.Close() }, nil
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, err
	}
	pgkv.Prepare(config)
	config.MaxConns = placesOfReplica
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	db, err := pgkv.Open(ctx, pool, pgkv.WithWitnesses(dir), pgkv.WithWait(replicaWait))
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return func(_ context.Context, name string) (kv.Store, error) { return db.Store(name), nil }, func() { _ = db.Close(); pool.Close() }, nil
}

// serveReplica answers orders until there are no more.
func serveReplica(in io.Reader, out io.Writer) error {
	began := time.Now()
	ctx := context.Background()
	store, end, err := spacesOf(ctx, os.Getenv(engineEnv), os.Getenv(urlEnv), os.Getenv(ownEnv))
	if err != nil {
		return err
	}
	defer end()
	r := &replica{store: store, opening: make(chan struct{}, openAtOnce), devices: make(map[int]func() (*pawl.Machine, error))}
	ready := time.Now()
	var mu sync.Mutex
	replies := json.NewEncoder(out)
	var calls sync.WaitGroup
	defer calls.Wait()
	for orders := json.NewDecoder(bufio.NewReader(in)); ; {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		at := phases{Began: began, Ready: ready, Told: time.Now()}
		calls.Go(func() {
			answer, err := r.obey(ctx, o, &at)
			at.Answered = time.Now()
			answer.Phases = at
			if answer.Number = o.Number; err != nil {
				answer.Err = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			_ = replies.Encode(answer)
		})
	}
}

func (r *replica) obey(ctx context.Context, o order, at *phases) (answer reply, err error) {
	m, err := r.device(ctx, o.Device, o.Create)
	if err != nil {
		return answer, err
	}
	at.Opened = time.Now()
	if o.Create {
		return introduce(ctx, m)
	}
	sender, err := ratchet.ParsePublicKey(o.Sender)
	if err != nil {
		return answer, err
	}
	d, err := m.Decrypt(ctx, sender, ratchet.Message{Type: o.Type, Body: o.Body})
	return reply{Text: d.Plaintext, Duplicate: d.Duplicate}, err
}

// device opens a device's space the first time, and makes the device if it is to.
func (r *replica) device(ctx context.Context, i int, create bool) (*pawl.Machine, error) {
	r.mu.Lock()
	open := r.devices[i]
	if open == nil {
		open = sync.OnceValues(func() (*pawl.Machine, error) {
			r.opening <- struct{}{}
			defer func() { <-r.opening }()
			name := fmt.Sprintf("ghost%d", i)
			space, err := r.store(ctx, name)
			if err != nil {
				return nil, err
			}
			store, err := pawl.Open(ctx, space, pawl.WithKey(sha256.Sum256([]byte(name))))
			if err != nil {
				return nil, err
			}
			user := matrix.UserID("@" + name + ":example.org")
			if create {
				return store.Create(ctx, user, "BRIDGE")
			}
			return store.Machine(ctx, user, "BRIDGE")
		})
		r.devices[i] = open
	}
	r.mu.Unlock()
	return open()
}

// introduce uploads a one-time key, and says which.
func introduce(ctx context.Context, m *pawl.Machine) (answer reply, err error) {
	who, err := m.Identity(ctx)
	if err != nil {
		return answer, err
	}
	upload, err := m.KeysForUpload(ctx, 1)
	if err != nil {
		return answer, err
	}
	var body struct {
		OneTimeKeys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil {
		return answer, err
	}
	answer.Identity = who.Curve25519.String()
	for _, key := range body.OneTimeKeys {
		answer.OneTimeKey = key.Key
	}
	return answer, m.MarkPublished(ctx, upload)
}

// replicaProcess is one that runs. Its methods may be called from any number of goroutines.
type replicaProcess struct {
	began time.Time
	cmd   *exec.Cmd
	said  strings.Builder // on standard error; read when it has ended
	ended chan struct{}

	mu      sync.Mutex
	orders  *json.Encoder
	last    int
	waiting map[int]chan reply
	killed  bool          // on purpose
	phases  string        // of the first message
	first   time.Duration // until it had answered a message; 0: it has not
}

// startReplica starts one on a host.
func startReplica(t *testing.T, engine string, c client) *replicaProcess {
	t.Helper()
	p := &replicaProcess{cmd: exec.Command(os.Args[0]), ended: make(chan struct{}), waiting: make(map[int]chan reply)}
	p.cmd.Env = append(os.Environ(), replicaEnv+"=1", engineEnv+"="+engine, urlEnv+"="+c.url, ownEnv+"="+c.dir)
	p.cmd.Stderr = &p.said
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.orders, p.began = json.NewEncoder(stdin), time.Now()
	if err := c.Start(p.cmd); err != nil {
		t.Fatal(err)
	}
	go p.receive(stdout)
	return p
}

func (p *replicaProcess) receive(stdout io.Reader) {
	for replies := json.NewDecoder(stdout); ; {
		var r reply
		if replies.Decode(&r) != nil {
			break
		}
		p.mu.Lock()
		if p.first == 0 && r.Identity == "" {
			p.first = time.Since(p.began)
			p.phases = r.Phases.from(p.began)
		}
		p.waiting[r.Number] <- r
		delete(p.waiting, r.Number)
		p.mu.Unlock()
	}
	_ = p.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.waiting {
		close(one)
	}
	p.waiting = nil
	close(p.ended)
}

// errKilled: the replica did not live to answer.
var errKilled = errors.New("the replica was killed")

// ask gives an order and waits for what comes of it.
func (p *replicaProcess) ask(o order) (reply, error) {
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		return reply{}, p.gone()
	}
	p.last++
	o.Number = p.last
	got := make(chan reply, 1)
	p.waiting[o.Number] = got
	_ = p.orders.Encode(o) // if it fails the replica has ended, which receive finds out
	p.mu.Unlock()
	r, answered := <-got
	if !answered {
		return reply{}, p.gone()
	}
	return r, nil
}

func (p *replicaProcess) gone() error {
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return errKilled
	}
	return fmt.Errorf("a replica has ended by itself: %s", p.said.String())
}

// kill kills the replica, and returns how much memory it had at most, in kB.
func (p *replicaProcess) kill() (most int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &most)
	}
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	_ = p.cmd.Process.Kill()
	<-p.ended
	return most
}
