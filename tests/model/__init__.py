"""The promise itself: whatever dies and in whichever order things happen, each accepted update counts exactly once."""
