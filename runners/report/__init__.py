"""Pages and pictures of one run or of several side by side."""
