"""`python -m infra.check_template`: what is wrong with the template, found before anything is deployed and without an account."""
