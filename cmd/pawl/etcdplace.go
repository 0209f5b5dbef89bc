package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/kv/witness"
)

// etcdForm is what a store in an etcd cluster looks like.
const etcdForm = "etcd://HOST:PORT,HOST:PORT/NAME"

// etcdPort is where a member answers that is given without a port.
const etcdPort = "2379"

// etcdPlace is a store in an etcd cluster.
type etcdPlace struct {
	user  string // "": none, or that of the environment
	hosts []string
	store string
	query url.Values // those of etcdParameters that were given
}

var errEtcdForm = cli.Usagef("the URL of a store in etcd cannot be read: give %s", etcdForm)

// parseEtcd reads USER@HOST:PORT,HOST:PORT/NAME?PARAMETERS, of which net/url knows but one
// host.
func parseEtcd(text string) (served, error) {
	rest, slashes := strings.CutPrefix(text, "etcd://")
	end := strings.IndexAny(rest, "/?#")
	if !slashes || end < 0 || rest[end] != '/' {
		return nil, errEtcdForm
	}
	path, err := url.Parse(rest[end:])
	if err != nil || path.Fragment != "" {
		return nil, errEtcdForm
	}
	e := &etcdPlace{store: strings.TrimPrefix(path.Path, "/")}
	if e.query, err = url.ParseQuery(path.RawQuery); err != nil {
		return nil, errEtcdForm
	}
	hosts := rest[:end]
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		if e.user, err = url.PathUnescape(hosts[:at]); err != nil {
			return nil, errEtcdForm
		}
		hosts = hosts[at+1:]
	}
	if strings.Contains(e.user, ":") || e.query.Has("password") {
		return nil, cli.Usagef(passwordShown + etcdPasswordEnv + ", or in a file that the URL names, by passfile=FILE")
	}
	if e.hosts, err = etcdHosts(hosts); err != nil {
		return nil, err
	}
	if e.store == "" {
		return nil, cli.Usagef("the URL names no store: give %s", etcdForm)
	}
	if err := e.checkParameters(); err != nil {
		return nil, err
	}
	return e, nil
}

// etcdHosts returns each HOST:PORT.
func etcdHosts(text string) (hosts []string, err error) {
	for _, one := range strings.Split(text, ",") {
		host, port, err := net.SplitHostPort(one)
		if err != nil {
			if host, port, err = net.SplitHostPort(one + ":" + etcdPort); err != nil {
				return nil, errEtcdForm
			}
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" || strings.ContainsAny(host, "@ ") {
			return nil, errEtcdForm
		}
		hosts = append(hosts, net.JoinHostPort(host, port))
	}
	return hosts, nil
}

// String implements served.
func (e *etcdPlace) String() string {
	shown := url.URL{Path: "/" + e.store, RawQuery: e.query.Encode()}
	hosts := strings.Join(e.hosts, ",")
	if e.user != "" {
		hosts = url.User(e.user).String() + "@" + hosts
	}
	return "etcd://" + hosts + shown.String()
}

// companion has its name from the members and the store's name, in whatever order they
// were given, and whoever uses it.
func (e *etcdPlace) companion(suffix string) string {
	return companionOf("etcd", strings.Join(slices.Sorted(slices.Values(e.hosts)), ",")+"/"+e.store, suffix)
}

// openDB connects.
func (e *etcdPlace) openDB(ctx context.Context, making bool) (*etcdkv.Database, error) {
	config := clientv3.Config{Endpoints: e.hosts}
	if err := e.logIn(&config); err != nil {
		return nil, err
	}
	dir := filepath.Dir(e.companion(""))
	options := []etcdkv.Option{etcdkv.WithLogger(cli.Logger(ctx)), etcdkv.WithWitnessDir(dir)}
	if !making {
		options = append(options, etcdkv.WithExisting())
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, kv.OfSystem(err)
	}
	return etcdkv.Open(ctx, config, options...)
}

func (e *etcdPlace) open(ctx context.Context) (kv.Store, error) { return e.openStore(ctx, true) }

func (e *etcdPlace) openStore(ctx context.Context, making bool) (kv.Store, error) {
	db, err := e.openDB(ctx, making)
	if err != nil {
		return nil, err
	}
	store, err := db.Store(ctx, e.store)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return servedStore{store, db.Close}, nil
}

func (e *etcdPlace) look(ctx context.Context) (kv.Store, error) {
	store, err := e.openStore(ctx, false)
	if err != nil {
		return nil, err
	}
	return newLooked(store, witness.Of(store).Load), nil
}

// within calls fn with the database.
func (e *etcdPlace) within(ctx context.Context, fn func(context.Context, *etcdkv.Database) error) error {
	db, err := e.openDB(ctx, false)
	if err != nil {
		return err
	}
	defer db.Close()
	return fn(ctx, db)
}

func (e *etcdPlace) exists(ctx context.Context) (there bool, err error) {
	err = e.within(ctx, func(ctx context.Context, db *etcdkv.Database) (err error) {
		there, err = db.Exists(ctx, e.store)
		return err
	})
	return there, err
}

func (e *etcdPlace) name() string { return e.store }

func (e *etcdPlace) aside(more string) served {
	other := *e
	other.store += more
	return &other
}

func (e *etcdPlace) rename(to string) error {
	return e.within(context.Background(), func(ctx context.Context, db *etcdkv.Database) error { return db.Rename(ctx, e.store, to) })
}

func (e *etcdPlace) remove() error {
	return e.within(context.Background(), func(ctx context.Context, db *etcdkv.Database) error { return db.Remove(ctx, e.store) })
}

func (e *etcdPlace) leftovers(infix string) (found []served, err error) {
	err = e.within(context.Background(), func(ctx context.Context, db *etcdkv.Database) error {
		names, err := db.Names(ctx, e.store+infix)
		for _, name := range names {
			found = append(found, e.aside(strings.TrimPrefix(name, e.store)))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for what is left beside %s: %w", e, err)
	}
	return found, nil
}
