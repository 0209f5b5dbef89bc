//go:build linux || darwin

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// TestEtcdScripts runs testdata/etcd: what a user types whose store is in etcd. STORE is the
// URL up to the name of the store, and AGAIN is the same with the members in another order.
//
// SECRET is likewise the URL of a user on a server that takes TLS, a certificate and a
// password; TLS says so, with what CERTS holds. At OTHERS he may do nothing.
func TestEtcdScripts(t *testing.T) {
	t.Parallel()
	open := startEtcd(t, "")
	certs := newCerts(t)
	parameters := "?cacert=" + certs + "/ca.pem&cert=" + certs + "/client.pem&key=" + certs + "/client-key.pem"
	locked := startEtcd(t, parameters, "--cert-file", certs+"/server.pem", "--key-file", certs+"/server-key.pem",
		"--client-cert-auth", "--trusted-ca-file", certs+"/ca.pem")
	demandUsers(t, connect(t, locked, parameters))
	testscript.Run(t, testscript.Params{
		Files: serverScripts(t, "testdata/etcd"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("HOME", env.WorkDir)
			_, port, err := net.SplitHostPort(open)
			env.Setenv("STORE", "etcd://"+open+",localhost:"+port+"/")
			env.Setenv("AGAIN", "etcd://localhost:"+port+","+open+"/")
			env.Setenv("SECRET", "etcd://bob@"+locked+"/bob/")
			env.Setenv("OTHERS", "etcd://bob@"+locked+"/alice/")
			env.Setenv("TLS", parameters)
			env.Setenv("CERTS", certs)
			return errors.Join(err, writeImport(t, env.WorkDir))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": cmdExits, "jsonget": cmdJSONGet, "roomkeys": cmdRoomKeys},
	})
}

// startEtcd starts Debian's etcd, and waits until it answers, at the address that it returns,
// who has some parameters of a URL; with any it takes TLS. Without it the test is skipped,
// or fails if PAWL_FLEET=1.
func startEtcd(t *testing.T, parameters string, args ...string) (address string) {
	t.Helper()
	path, err := exec.LookPath("etcd")
	switch {
	case err == nil:
	case os.Getenv("PAWL_FLEET") == "1":
		t.Fatalf("without Debian's etcd, which PAWL_FLEET=1 requires: install etcd-server: %v", err)
	default:
		t.Skip("without Debian's etcd: install etcd-server to run this")
	}
	dir := t.TempDir()
	address = lowPort(t)
	door, peer := "http://"+address, "http://"+lowPort(t)
	if parameters != "" {
		door = "https://" + address
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(path, append([]string{
		"--data-dir", filepath.Join(dir, "data"), "--log-level", "error", "--logger", "zap",
		"--listen-client-urls", door, "--advertise-client-urls", door,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("etcd says:\n%s", text)
		}
	})
	client := connect(t, address, parameters)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		try, stop := context.WithTimeout(ctx, 2*time.Second)
		_, err := client.Get(try, "nothing")
		stop()
		if err == nil {
			return address
		}
		if ctx.Err() != nil {
			t.Fatalf("etcd does not answer: %v", err)
		}
	}
}

// connect returns a plain client of etcd, whom a URL's parameters say whom to trust.
func connect(t *testing.T, address, parameters string) *clientv3.Client {
	t.Helper()
	p, err := parseEtcd("etcd://" + address + "/any" + parameters)
	if err != nil {
		t.Fatal(err)
	}
	config := clientv3.Config{Endpoints: []string{address}, Logger: zap.NewNop()}
	if err := p.(*etcdPlace).logIn(&config); err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// demandUsers makes a server demand passwords, of which bob has one, and his rights.
func demandUsers(t *testing.T, client *clientv3.Client) {
	t.Helper()
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.UserAdd(ctx, "root", "r00t"))
	must(client.UserGrantRole(ctx, "root", "root"))
	must(client.RoleAdd(ctx, "bobs"))
	must(client.RoleGrantPermission(ctx, "bobs", "bob/", clientv3.GetPrefixRangeEnd("bob/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(client.UserAdd(ctx, "bob", "s3cret"))
	must(client.UserGrantRole(ctx, "bob", "bobs"))
	must(client.AuthEnable(ctx))
}

// lowPort returns an address that nobody listens at, and that the system gives nobody who
// asks for any.
func lowPort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		n, err := rand.Int(rand.Reader, big.NewInt(12000))
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 20000 + int(n.Int64())})
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// newCerts makes certificates of an authority, a server and a client, and returns where they
// are.
func newCerts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	authority := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key := signed(t, dir, "ca", authority, authority, nil)
	for name, use := range map[string]x509.ExtKeyUsage{"server": x509.ExtKeyUsageServerAuth, "client": x509.ExtKeyUsageClientAuth} {
		signed(t, dir, name, &x509.Certificate{
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}, authority, key)
	}
	return dir
}

// signed writes a certificate that an authority signs, or that signs itself, and its key.
func signed(t *testing.T, dir, name string, cert, by *x509.Certificate, with *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if with == nil {
		with = key
	}
	cert.SerialNumber, cert.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	public, err := x509.CreateCertificate(rand.Reader, cert, by, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o600),
		os.WriteFile(filepath.Join(dir, name+"-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
