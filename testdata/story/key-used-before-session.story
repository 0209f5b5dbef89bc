design: key-used-before-session
expect: false-failure answers check one-time-keys
seed: 9
cache: validated
talking: true
app = sync; sync-all
bob = open
run: bob app*10 app/crash
