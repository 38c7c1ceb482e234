"""Starts the processes of an instance in order, keeps each of them alive and takes them all down together."""
