"""The layer every function stands on; it knows nothing of the runtime that hosts it."""
