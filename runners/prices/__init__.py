"""Price files: what they hold, and how to fetch them."""
