"""The Amazon MQ event source mapping: one consumer and one batch at a time for each queue."""
