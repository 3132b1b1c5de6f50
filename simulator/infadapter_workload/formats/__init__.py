"""The forms in which traces come, each recognised and read by a module of its own."""
