"""Views of the events functions receive and the replies they give, one file per event family."""
