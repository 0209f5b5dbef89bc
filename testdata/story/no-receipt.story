design: no-receipt
expect: false-failure
seed: 1
cache: validated
talking: false
app = sync; again 1
run: 
