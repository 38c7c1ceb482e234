"""`python -m infra.package`: the zip of each function and of the layer, ready for Lambda and the same every time."""
