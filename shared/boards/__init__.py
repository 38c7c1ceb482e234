"""The live board: updates, places, rate windows, action tickets."""
