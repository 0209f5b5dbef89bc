package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"runtime"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/internal/cli"
)

// Where a password, and the user, come from that are not in the URL: etcdctl's own.
const (
	etcdPasswordEnv = "ETCDCTL_PASSWORD"
	etcdUserEnv     = "ETCDCTL_USER" // USER or USER:PASSWORD
)

// etcdParameters are what a URL may have after its question mark, and the variable that has
// the same for etcdctl.
var etcdParameters = map[string]string{
	"tls":      "", // true, with what the system trusts; any of the next three asks for it too
	"cacert":   "ETCDCTL_CACERT",
	"cert":     "ETCDCTL_CERT",
	"key":      "ETCDCTL_KEY",
	"passfile": "",
}

// checkParameters refuses what is not known.
func (e *etcdPlace) checkParameters() error {
	for name, values := range e.query {
		_, known := etcdParameters[name]
		if !known || len(values) != 1 || values[0] == "" || name == "tls" && values[0] != "true" {
			return cli.Usagef("the URL of a store in etcd has a parameter that is not known: give tls=true, cacert=FILE, cert=FILE, key=FILE or passfile=FILE")
		}
	}
	if e.query.Has("cert") != e.query.Has("key") {
		return cli.Usagef("the URL names a certificate or its key: give both, cert=FILE and key=FILE")
	}
	return nil
}

// parameter is what the URL says, or else the environment.
func (e *etcdPlace) parameter(name string) string {
	if e.query.Has(name) {
		return e.query.Get(name)
	}
	if variable := etcdParameters[name]; variable != "" {
		return os.Getenv(variable)
	}
	return ""
}

// logIn says who the client is, and whom it trusts.
func (e *etcdPlace) logIn(config *clientv3.Config) (err error) {
	if config.TLS, err = e.tls(); err != nil {
		return err
	}
	user, password, _ := strings.Cut(os.Getenv(etcdUserEnv), ":")
	if e.user != "" && e.user != user {
		user, password = e.user, ""
	}
	if given := os.Getenv(etcdPasswordEnv); given != "" {
		password = given
	}
	if file := e.parameter("passfile"); file != "" {
		if password, err = passwordIn(file); err != nil {
			return err
		}
	}
	if user != "" && password == "" {
		return fmt.Errorf("there is no password for etcd's user %s: give it in %s, or in a file that the URL names, by passfile=FILE", user, etcdPasswordEnv)
	}
	if user != "" {
		config.Username, config.Password = user, password
	}
	return nil
}

// maxPassword catches the wrong file.
const maxPassword = 4096

// passwordIn reads a file with one line, which others must not be able to read.
func passwordIn(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		err = fmt.Errorf("%s can be read by others: 'chmod 600 %s'", path, path)
	}
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	line, err := oneLine(path, "password", maxPassword)
	if err == nil && len(line) > maxPassword {
		err = fmt.Errorf("password file %s is longer than %d bytes: is it the right file?", path, maxPassword)
	}
	return string(line), err
}

// tls returns nil where nothing asks for it.
func (e *etcdPlace) tls() (*tls.Config, error) {
	ca, cert, key := e.parameter("cacert"), e.parameter("cert"), e.parameter("key")
	if ca == "" && cert == "" && e.parameter("tls") == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("whom to trust (cacert): %w", err)
		}
		if config.RootCAs = x509.NewCertPool(); !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("whom to trust (cacert): %s has no certificate in PEM", ca)
		}
	}
	if cert != "" {
		own, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("the client's certificate (cert and key): %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}
