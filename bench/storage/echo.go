package main

import (
	"context"
	"io"
	"net"
	"path/filepath"
)

// The smallest round trip that there is between two processes here: what a
// client's get is compared with. It sends and receives about as much.
const echoRequest = 64

// echo answers at a socket beside a store until it is closed.
func echo(path string, value int) (io.Closer, error) {
	listener, err := net.Listen("unix", echoPath(path))
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go echoTo(conn, value)
		}
	}()
	return listener, nil
}

func echoPath(path string) string { return filepath.Join(filepath.Dir(path), "echo.sock") }

func echoTo(conn net.Conn, value int) {
	defer conn.Close()
	request, answer := make([]byte, echoRequest), make([]byte, value)
	for {
		if _, err := io.ReadFull(conn, request); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// echoes asks for one echo after the other.
func echoes(path string, value int) (operation, io.Closer, error) {
	conn, err := net.Dial("unix", echoPath(path))
	if err != nil {
		return nil, nil, err
	}
	request, answer := make([]byte, echoRequest), make([]byte, value)
	return func(context.Context, int) error {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, answer)
		return err
	}, conn, nil
}
