"""The built zips under Lambda's own runtime client, wired by the template as the cloud wires them."""
