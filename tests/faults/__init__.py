"""The product under load while its parts are killed, stopped, cut off and emptied; then every player's points are counted."""
