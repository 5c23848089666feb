"""From a data file as people have it to one that is trained on: read, convert, prepare."""
