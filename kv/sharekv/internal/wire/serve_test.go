package wire_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// far serves a store over a socket.
type far struct {
	server   *wire.Server
	listener net.Listener
	path     string
	mu       sync.Mutex
	conns    []net.Conn
}

func serve(t testing.TB, service wire.Service) *far {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire-")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{server: wire.NewServer(service), path: filepath.Join(dir, "s")}
	if f.listener, err = net.Listen("unix", f.path); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := f.listener.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, conn)
			f.mu.Unlock()
			wg.Go(func() { f.server.Serve(conn) })
		}
	})
	t.Cleanup(func() {
		f.listener.Close()
		f.cut()
		f.server.Close()
		wg.Wait()
		os.RemoveAll(dir)
	})
	return f
}

// cut ends all connections, as the end of the server's process would.
func (f *far) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.conns {
		conn.Close()
	}
	f.conns = nil
}

func (f *far) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// client connects.
func (f *far) client(t testing.TB, settings wire.Settings) *wire.Client {
	t.Helper()
	c, err := wire.Connect(t.Context(), f.dial(t), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// remote returns a client of a store in memory.
func remote(t testing.TB, options ...memkv.Option) kv.Store {
	store := memkv.New(options...)
	t.Cleanup(func() { store.Close() })
	return serve(t, wire.Service{Store: store}).client(t, wire.Settings{})
}

func batch(key, value string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
}

// in returns what comes, or fails after a while.
func in[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: nothing for 20 s", what)
		panic("unreachable")
	}
}

var background = context.Background()
