"""Plays the game against a running instance."""
