design: release-before-commit
expect: key-reuse unreadable false-failure agreement
seed: 26
cache: validated
talking: false
app = send
nse = send; send
run: nse*9 app
