"""What crosses between federates: topics, units, messages and values."""
