"""`infadapter profile --kubernetes`: clones of pods, measured by a Job beside them."""
