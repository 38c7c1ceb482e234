"""What each port promises, asked of the adapters on real servers."""
