// Package etcdtest runs clusters of etcd for the tests of kv/etcdkv, each member in a
// process of its own. It is a module of its own because of what the server links.
//
// A member is the test's own program, started again as etcd ([Main]), or Debian's
// etcd-server where that is installed. PAWL_FLEET=1 requires it.
package etcdtest
