design: no-look-at-receipts
expect: false-failure
seed: 1
cache: validated
talking: false
app = sync
share = sync
run: 
