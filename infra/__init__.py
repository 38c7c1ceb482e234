"""What the product runs on: the template, migrations' deployment, set-up and generated documents."""
